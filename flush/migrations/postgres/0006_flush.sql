-- The flush as in 0003_flush.sql, which says how it works. New: the sums of the moves, and idempotency keys (R9), which are
-- written before the rest: a key that stands and has not expired undoes them, and nothing else is begun.
create function pinocchio_flush_v2(
    in_node            uuid,
    in_partitions      integer[], in_epochs       bigint[], in_new_owners uuid[],
    in_move_partitions integer[], in_move_origins uuid[],   in_move_from  bigint[], in_move_to bigint[],
    in_move_sums       bigint[],
    in_id_keys         bytea[],   in_ids          bytea[],  in_id_fingerprints bigint[], in_id_results bigint[],
    in_keep_us         bigint,
    in_keys            text[],    in_deltas       bigint[],
    in_q_keys          text[],    in_q_raw_keys   bytea[],  in_q_deltas   bigint[],
    in_q_partitions    integer[], in_q_reasons    text[],
    out applied           boolean,   out new_values     bigint[],
    out owner_partitions  integer[], out owners         uuid[], out owner_epochs   bigint[],
    out ledger_partitions integer[], out ledger_origins uuid[], out ledger_numbers bigint[], out ledger_refused boolean[],
    out conflict_keys     bytea[],   out conflict_ids   bytea[])
language plpgsql as $$
declare
    changed bigint;
    created bigint;
    written bigint;
    at      timestamptz;
begin
    applied := false;

    perform from partition_owner p where p.partition = any (in_partitions) order by p.partition for update;
    -- An origin must not be closed while its first ledger row is made. KEY SHARE lets its renewals pass.
    perform from nodes n
    where n.id in (select m.origin from unnest(in_move_origins, in_move_from) as m (origin, number) where m.number = 0)
    order by n.id for key share;
    perform from ledger l
    join unnest(in_move_partitions, in_move_origins) as m (partition, origin)
        on l.partition = m.partition and l.origin = m.origin
    order by l.partition, l.origin for update of l;

    select array_agg(r.partition), array_agg(p.owner), array_agg(coalesce(p.epoch, 0))
    into owner_partitions, owners, owner_epochs
    from unnest(in_partitions, in_epochs) as r (partition, epoch)
    left join partition_owner p on p.partition = r.partition
    where p.owner is distinct from in_node or p.epoch is distinct from r.epoch;

    select array_agg(m.partition), array_agg(m.origin), array_agg(coalesce(l.number, 0)),
           array_agg(l.number is null and n.id is null)
    into ledger_partitions, ledger_origins, ledger_numbers, ledger_refused
    from unnest(in_move_partitions, in_move_origins, in_move_from) as m (partition, origin, number)
    left join ledger l on l.partition = m.partition and l.origin = m.origin
    left join nodes n on n.id = m.origin and n.closed_at is null
    where coalesce(l.number, 0) <> m.number or (l.number is null and n.id is null);

    if owner_partitions is not null or ledger_partitions is not null then
        return;
    end if;

    if cardinality(in_id_keys) > 0 then
        at := clock_timestamp();
        begin
            insert into idempotency_keys as i (key, id, fingerprint, result, created_at, expires_at)
            select u.key, u.id, u.fingerprint, u.result, at, at + in_keep_us * interval '1 microsecond'
            from unnest(in_id_keys, in_ids, in_id_fingerprints, in_id_results) as u (key, id, fingerprint, result)
            order by u.key, u.id
            on conflict (key, id) do update
                set fingerprint = excluded.fingerprint, result = excluded.result,
                    created_at = excluded.created_at, expires_at = excluded.expires_at
                where i.expires_at <= at;
            get diagnostics written = row_count;
            if written <> cardinality(in_id_keys) then
                raise exception using errcode = 'PNIDS';
            end if;
        exception when sqlstate 'PNIDS' then
            select array_agg(i.key), array_agg(i.id) into conflict_keys, conflict_ids
            from unnest(in_id_keys, in_ids) as u (key, id)
            join idempotency_keys i on i.key = u.key and i.id = u.id
            where i.expires_at > at;
            if conflict_keys is null then -- it went away since
                raise exception 'an idempotency key changed during a flush' using errcode = 'serialization_failure';
            end if;
            return;
        end;
    end if;

    update ledger l set number = m.number_to, sum = l.sum + m.sum
    from unnest(in_move_partitions, in_move_origins, in_move_from, in_move_to, in_move_sums)
        as m (partition, origin, number_from, number_to, sum)
    where l.partition = m.partition and l.origin = m.origin and l.number = m.number_from;
    get diagnostics changed = row_count;
    insert into ledger (partition, origin, number, sum)
    select m.partition, m.origin, m.number_to, m.sum
    from unnest(in_move_partitions, in_move_origins, in_move_from, in_move_to, in_move_sums)
        as m (partition, origin, number_from, number_to, sum)
    where m.number_from = 0
    on conflict do nothing;
    get diagnostics created = row_count;
    -- The check above makes this impossible while every writer takes the same locks; R3 does not rest on that.
    if changed + created <> cardinality(in_move_partitions) then
        raise exception 'the ledger changed during a flush' using errcode = 'serialization_failure';
    end if;

    with upserted as (
        insert into counters as c (key, value)
        select u.key, u.delta from unnest(in_keys, in_deltas) as u (key, delta) order by u.key collate "C"
        on conflict (key) do update set value = c.value + excluded.value, updated_at = now()
        returning c.key, c.value)
    select array_agg(value order by key), count(*) into new_values, written from upserted;
    if written <> cardinality(in_keys) then
        raise exception 'a trigger or rule on the counters table dropped % of % rows',
            cardinality(in_keys) - written, cardinality(in_keys) using errcode = 'triggered_data_change_violation';
    end if;

    insert into quarantine (key, raw_key, delta, partition, node, reason)
    select q.key, q.raw_key, q.delta, q.partition, in_node, q.reason
    from unnest(in_q_keys, in_q_raw_keys, in_q_deltas, in_q_partitions, in_q_reasons)
        as q (key, raw_key, delta, partition, reason);

    update partition_owner p set owner = h.new_owner, epoch = p.epoch + 1
    from unnest(in_partitions, in_new_owners) as h (partition, new_owner)
    where p.partition = h.partition and h.new_owner is not null;

    applied := true;
end $$;

-- The same, undone: to find out which deltas the database refuses. One call, so that a client that vanishes leaves no
-- transaction open; deferred constraints are made to speak at once.
create function pinocchio_flush_dry_v2(
    in_node            uuid,
    in_partitions      integer[], in_epochs       bigint[], in_new_owners uuid[],
    in_move_partitions integer[], in_move_origins uuid[],   in_move_from  bigint[], in_move_to bigint[],
    in_move_sums       bigint[],
    in_id_keys         bytea[],   in_ids          bytea[],  in_id_fingerprints bigint[], in_id_results bigint[],
    in_keep_us         bigint,
    in_keys            text[],    in_deltas       bigint[],
    in_q_keys          text[],    in_q_raw_keys   bytea[],  in_q_deltas   bigint[],
    in_q_partitions    integer[], in_q_reasons    text[],
    out applied           boolean,   out new_values     bigint[],
    out owner_partitions  integer[], out owners         uuid[], out owner_epochs   bigint[],
    out ledger_partitions integer[], out ledger_origins uuid[], out ledger_numbers bigint[], out ledger_refused boolean[],
    out conflict_keys     bytea[],   out conflict_ids   bytea[])
language plpgsql as $$
begin
    set constraints all immediate;
    select f.* into applied, new_values, owner_partitions, owners, owner_epochs,
                    ledger_partitions, ledger_origins, ledger_numbers, ledger_refused,
                    conflict_keys, conflict_ids
    from pinocchio_flush_v2(in_node, in_partitions, in_epochs, in_new_owners,
        in_move_partitions, in_move_origins, in_move_from, in_move_to, in_move_sums,
        in_id_keys, in_ids, in_id_fingerprints, in_id_results, in_keep_us, in_keys, in_deltas,
        in_q_keys, in_q_raw_keys, in_q_deltas, in_q_partitions, in_q_reasons) f;
    raise exception using errcode = 'PNDRY';
exception when sqlstate 'PNDRY' then
    -- The block's writes are rolled back; its variables keep what the flush returned.
    null;
end $$;
