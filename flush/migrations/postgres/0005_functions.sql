-- Locks are taken in the order that 0002_functions.sql gives; idempotency_keys by (key, id) come between ledger and
-- counters, cluster_meta is last.

-- As pinocchio_expire_v1; remembers in cluster_meta.forgotten whom it removed.
create function pinocchio_expire_v2(in_retention_us bigint)
returns bigint language plpgsql as $$
declare
    before   timestamptz := clock_timestamp() - in_retention_us * interval '1 microsecond';
    gone     uuid[];
    youngest uuid;
begin
    select array_agg(locked.id) into gone
    from (select n.id from nodes n where coalesce(n.closed_at, n.lease_until) < before
          order by n.id for update skip locked) locked;
    if gone is null then
        return 0;
    end if;
    perform from ledger l where l.origin = any (gone) order by l.partition, l.origin for update;
    delete from ledger l where l.origin = any (gone);
    delete from nodes n where n.id = any (gone);
    select g.id into youngest from unnest(gone) as g (id) order by g.id desc limit 1;
    update cluster_meta m set forgotten = greatest(m.forgotten, youngest);
    return cardinality(gone);
end $$;

-- Deletes up to in_limit rows that have expired, the oldest first, and returns how many.
--
-- While a process has vanished (its lease ran out and nobody closed it), rows that were still good when it
-- registered stay. Its log may come back and be sent again; an operation of it whose id was meanwhile counted under
-- another origin, by a client that tried elsewhere, must find the record then: without it, it would count twice.
create function pinocchio_expire_ids_v1(in_limit bigint)
returns bigint language plpgsql as $$
declare
    horizon timestamptz := clock_timestamp();
    removed bigint;
begin
    select least(horizon, min(n.registered_at)) into horizon
    from nodes n where n.closed_at is null and n.lease_until < horizon;
    with gone as (
        select i.key, i.id from idempotency_keys i where i.expires_at < horizon
        order by i.expires_at limit in_limit for update skip locked)
    delete from idempotency_keys i using gone g where i.key = g.key and i.id = g.id;
    get diagnostics removed = row_count;
    return removed;
end $$;

-- What a renewal that found no open row answers: 'closed', or 'missing' when the row is lost rather than removed.
create function pinocchio_absence_v1(in_id uuid)
returns text language sql stable as $$
    select case when exists (select from nodes n where n.id = in_id and n.closed_at is null) then 'open'
                when exists (select from nodes n where n.id = in_id) then 'closed'
                when in_id <= (select m.forgotten from cluster_meta m) then 'closed'
                else 'missing' end
$$;

-- Takes partitions back in a store that has lost its newest state: the claimer has seen an epoch (in_aboves) that this
-- store has not reached, so whatever stands here is history, its owner's lease too. The new epoch is greater than any
-- that was given out.
create function pinocchio_reclaim_v1(
    in_id uuid, in_partitions integer[], in_owners uuid[], in_epochs bigint[], in_aboves bigint[])
returns table (partition integer, epoch bigint) language plpgsql as $$
#variable_conflict use_column
begin
    perform from partition_owner p where p.partition = any (in_partitions) order by p.partition for update;
    perform from nodes n
    where n.id = in_id or n.id in (select p.owner from partition_owner p where p.partition = any (in_partitions))
    order by n.id for share;
    if not exists (select from nodes n
                   where n.id = in_id and n.closed_at is null and n.lease_until > clock_timestamp()) then
        return;
    end if;
    update partition_owner p set owner = in_id, epoch = w.above + 1
    from unnest(in_partitions, in_owners, in_epochs, in_aboves) as w (partition, owner, epoch, above)
    where p.partition = w.partition and p.epoch = w.epoch and p.owner is not distinct from w.owner
      and w.above > w.epoch;
    -- Won by an earlier try, whose answer was lost: answered again.
    return query
        select p.partition, p.epoch
        from partition_owner p
        join unnest(in_partitions, in_aboves) as w (partition, above) on p.partition = w.partition
        where p.owner = in_id and p.epoch = w.above + 1
        order by p.partition;
end $$;
