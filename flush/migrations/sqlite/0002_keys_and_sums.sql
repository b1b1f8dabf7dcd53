-- As for Postgres: see migrations/postgres/0004_keys_and_sums.sql for what these mean.
create table idempotency_keys (
    key           blob not null,
    id            blob not null,
    fingerprint   integer not null,
    result        integer not null,
    created_at    text not null,
    expires_at_us integer not null,
    primary key (key, id)
) strict, without rowid;
create index idempotency_keys_expires_at on idempotency_keys (expires_at_us);

-- A sum that may leave the range of 64 bits has two columns: it is hi * 2^32 + lo, with lo in 0 .. 2^32-1.
alter table cluster_meta add column id text;
alter table cluster_meta add column forgotten text;
alter table cluster_meta add column base_hi integer not null default 0;
alter table cluster_meta add column base_lo integer not null default 0;
alter table cluster_meta add column retired_hi integer not null default 0;
alter table cluster_meta add column retired_lo integer not null default 0;
alter table ledger add column sum_hi integer not null default 0;
alter table ledger add column sum_lo integer not null default 0;

update cluster_meta set (base_hi, base_lo) = (
    select coalesce(sum(n >> 32), 0) + (coalesce(sum(n & 4294967295), 0) >> 32), coalesce(sum(n & 4294967295), 0) & 4294967295
    from (select value as n from counters union all select delta from quarantine));

create trigger pinocchio_retire after delete on ledger begin
    update cluster_meta set retired_hi = retired_hi + old.sum_hi + ((retired_lo + old.sum_lo) >> 32),
                            retired_lo = (retired_lo + old.sum_lo) & 4294967295;
end;
