-- Idempotency keys (R9): the operation with this id has been counted in this counter, with this result. Keys and ids are
-- bytes: a key that is no text has its deltas in quarantine, yet its operations count as done. fingerprint is the bit
-- pattern of an unsigned number.
create table idempotency_keys (
    key         bytea not null,
    id          bytea not null,
    fingerprint bigint not null,
    result      bigint not null,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    primary key (key, id)
);
create index idempotency_keys_expires_at on idempotency_keys (expires_at);

-- id tells this store from another one of the same settings. forgotten is the youngest process that was removed: ids
-- grow with time, so an id that is missing was removed if it is not greater, and lost with a restore if it is.
alter table cluster_meta
    add column id uuid not null default gen_random_uuid(),
    add column forgotten uuid,
    add column base_sum numeric not null default 0,
    add column retired_sum numeric not null default 0;

-- The audit: counters + quarantine = base_sum + retired_sum + the ledger's sums, where a row's sum is that of the deltas
-- of its operations. Sums of rows written before this migration are unknown and count as 0; base_sum has them instead.
--
-- A running flush holds a lock on the ledger to its end, and the next ones wait here for this transaction: the counters
-- do not change while they are added up. The table of processes is not locked, so leases are renewed meanwhile.
alter table ledger add column sum numeric not null default 0;

update cluster_meta set base_sum =
    (select coalesce(sum(value), 0) from counters) + (select coalesce(sum(delta), 0) from quarantine);

-- A trigger, so that the sum is kept whoever deletes the rows: a node of the previous release, too.
create function pinocchio_retire_v1() returns trigger language plpgsql as $$
declare
    total numeric := (select sum(g.sum) from gone g);
begin
    if total <> 0 then
        update cluster_meta set retired_sum = retired_sum + total;
    end if;
    return null;
end $$;

create trigger pinocchio_retire after delete on ledger
    referencing old table as gone
    for each statement execute function pinocchio_retire_v1();
