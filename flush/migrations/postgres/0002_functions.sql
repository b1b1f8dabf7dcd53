-- Everything that takes locks is one function call, so one round trip: a client that vanishes in the middle leaves
-- no open transaction that keeps its locks. A function is never changed once released: nodes of two versions run side
-- by side during an upgrade. A change is a new function (_v2) in a new migration.
--
-- Isolation is READ COMMITTED (Open checks it): each statement of a function sees what was committed before that
-- statement began, so what is read after a lock was granted is what the previous holder left.
--
-- Locks are taken in this order everywhere, so that there is no deadlock: partition_owner by partition, nodes by id,
-- ledger by (partition, origin), counters by key.

create function pinocchio_register_v1(
    in_id uuid, in_name text, in_http_addr text, in_peer_addr text, in_gossip_addr text, in_ttl_us bigint)
returns text language plpgsql as $$
begin
    -- Two processes of one name that register at once: the second waits, then sees the first.
    perform pg_advisory_xact_lock(1885957743, hashtext(in_name));
    if exists (select from nodes n
               where n.name = in_name and n.id <> in_id and n.closed_at is null and n.lease_until >= clock_timestamp()) then
        return 'name taken';
    end if;
    insert into nodes as n (id, name, http_addr, peer_addr, gossip_addr, lease_until)
    values (in_id, in_name, in_http_addr, in_peer_addr, in_gossip_addr,
            clock_timestamp() + in_ttl_us * interval '1 microsecond')
    on conflict (id) do update
        set name = excluded.name, http_addr = excluded.http_addr, peer_addr = excluded.peer_addr,
            gossip_addr = excluded.gossip_addr, lease_until = excluded.lease_until
        where n.closed_at is null;
    return case when found then 'registered' else 'closed' end;
end $$;

-- The cluster in one row of parallel arrays: one statement, hence one snapshot.
create function pinocchio_view_v1(
    out ids uuid[], out names text[], out http_addrs text[], out peer_addrs text[], out gossip_addrs text[],
    out leases_left_us bigint[], out drainings boolean[],
    out partitions integer[], out owners uuid[], out epochs bigint[])
language sql stable as $$
    select n.*, p.*
    from (select array_agg(id order by id), array_agg(name order by id), array_agg(http_addr order by id),
                 array_agg(peer_addr order by id), array_agg(gossip_addr order by id),
                 array_agg((extract(epoch from lease_until - clock_timestamp()) * 1000000)::bigint order by id),
                 array_agg(draining order by id)
          from nodes where closed_at is null) n,
         (select array_agg(partition order by partition), array_agg(owner order by partition),
                 array_agg(epoch order by partition)
          from partition_owner) p
$$;

-- Returns no row when the process is closed or missing. The view is read after the renewal took its row: a claim
-- that saw the lease as expired holds that row until it commits, so the view shows the claim.
create function pinocchio_renew_v1(
    in_id uuid, in_ttl_us bigint,
    out ids uuid[], out names text[], out http_addrs text[], out peer_addrs text[], out gossip_addrs text[],
    out leases_left_us bigint[], out drainings boolean[],
    out partitions integer[], out owners uuid[], out epochs bigint[])
returns setof record language plpgsql as $$
begin
    update nodes n set lease_until = clock_timestamp() + in_ttl_us * interval '1 microsecond'
    where n.id = in_id and n.closed_at is null;
    if found then
        return query select * from pinocchio_view_v1();
    end if;
end $$;

create function pinocchio_claim_v1(in_id uuid, in_partitions integer[], in_owners uuid[], in_epochs bigint[])
returns table (partition integer, epoch bigint) language plpgsql as $$
#variable_conflict use_column
declare
    at timestamptz;
begin
    -- Waits for a flush of the previous owner that still runs: its outcome must stand before the claim does.
    perform from partition_owner p where p.partition = any (in_partitions) order by p.partition for update;
    -- A renewal of these owners has either committed, and is seen below, or waits for this claim.
    perform from nodes n
    where n.id = in_id or n.id in (select p.owner from partition_owner p where p.partition = any (in_partitions))
    order by n.id for share;
    at := clock_timestamp();
    if not exists (select from nodes n where n.id = in_id and n.closed_at is null and n.lease_until > at) then
        return;
    end if;
    update partition_owner p set owner = in_id, epoch = p.epoch + 1
    from unnest(in_partitions, in_owners, in_epochs) as w (partition, owner, epoch)
    where p.partition = w.partition and p.epoch = w.epoch and p.owner is not distinct from w.owner
      and not exists (select from nodes n
                      where n.id = p.owner and n.closed_at is null and n.lease_until >= at);
    -- A claim that was won by an earlier try, whose answer was lost, is answered again.
    return query
        select p.partition, p.epoch
        from partition_owner p
        join unnest(in_partitions, in_epochs) as w (partition, epoch) on p.partition = w.partition
        where p.owner = in_id and p.epoch = w.epoch + 1
        order by p.partition;
end $$;

create function pinocchio_close_v1(in_id uuid, in_persisted boolean)
returns void language plpgsql as $$
begin
    -- FOR UPDATE, not only an update's own lock: it waits for flushes that are creating ledger rows for this origin.
    perform from nodes n where n.id = in_id for update;
    update nodes n set closed_at = clock_timestamp() where n.id = in_id and n.closed_at is null;
    if in_persisted then
        perform from ledger l where l.origin = in_id order by l.partition for update;
        delete from ledger l where l.origin = in_id;
    end if;
end $$;

create function pinocchio_expire_v1(in_retention_us bigint)
returns bigint language plpgsql as $$
declare
    before timestamptz := clock_timestamp() - in_retention_us * interval '1 microsecond';
    gone   uuid[];
begin
    -- Rows that are locked are in use: their turn comes at the next call.
    select array_agg(locked.id) into gone
    from (select n.id from nodes n where coalesce(n.closed_at, n.lease_until) < before
          order by n.id for update skip locked) locked;
    update nodes n set closed_at = n.lease_until where n.id = any (gone) and n.closed_at is null;
    perform from ledger l where l.origin = any (gone) order by l.partition, l.origin for update;
    delete from ledger l where l.origin = any (gone);
    delete from nodes n where n.id = any (gone);
    return coalesce(cardinality(gone), 0);
end $$;
