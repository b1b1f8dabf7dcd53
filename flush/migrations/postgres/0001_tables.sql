-- The properties every node of the cluster must share: one row, written by the first node.
create table cluster_meta (
    only_row   boolean primary key default true check (only_row),
    cluster    text not null,
    partitions integer not null check (partitions > 0),
    hash       text not null,
    ring       text not null,
    created_at timestamptz not null default now()
);

-- One row per process. A closed row is a tombstone: it refuses what comes late. lease_until is in no index, so that
-- renewals stay HOT.
create table nodes (
    id            uuid primary key,
    name          text not null,
    http_addr     text not null,
    peer_addr     text not null,
    gossip_addr   text not null,
    lease_until   timestamptz not null,
    draining      boolean not null default false,
    registered_at timestamptz not null default clock_timestamp(),
    closed_at     timestamptz
) with (fillfactor = 50);

-- Who owns a partition since which epoch (R5). Every row exists from the start (owner null, epoch 0), so there is
-- always a row to lock.
create table partition_owner (
    partition integer primary key,
    owner     uuid,
    epoch     bigint not null default 0
) with (fillfactor = 50);

-- The counters contain the operations 1..number of origin in partition (R4). Updated each second: half of each page
-- is left free for HOT updates. Keyed by partition first: a new owner reads whole partitions.
create table ledger (
    partition integer not null,
    origin    uuid not null,
    number    bigint not null check (number > 0),
    primary key (partition, origin)
) with (fillfactor = 50);

-- What users read. Keys compare by bytes. No other index: one on a column that changes would end HOT updates.
create table counters (
    key         text collate "C" primary key,
    value       bigint not null,
    inserted_at timestamptz not null default now(),
    updated_at  timestamptz not null default now()
) with (fillfactor = 80);

-- Deltas that the counters table can never take. Their operations count as persisted in the ledger; counters plus
-- quarantine is what was accepted. raw_key is set where the key is not text for this database; key is then its
-- printable form.
create table quarantine (
    id        bigint generated always as identity primary key,
    key       text collate "C" not null,
    raw_key   bytea,
    delta     bigint not null,
    partition integer not null,
    node      uuid not null,
    reason    text not null,
    at        timestamptz not null default now()
);
