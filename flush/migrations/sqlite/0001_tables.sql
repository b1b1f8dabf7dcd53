-- The same tables as for Postgres, in SQLite's words: see migrations/postgres/0001_tables.sql for what they mean.
-- STRICT: without it a sum that leaves the range of 64 bits would silently be stored as a rounded real. Times that only
-- the program reads are microseconds since 1970; times that people read are text in UTC.
create table cluster_meta (
    only_row   integer primary key check (only_row = 1),
    cluster    text not null,
    partitions integer not null check (partitions > 0),
    hash       text not null,
    ring       text not null,
    created_at text not null
) strict;

create table nodes (
    id             text primary key,
    name           text not null,
    http_addr      text not null,
    peer_addr      text not null,
    gossip_addr    text not null,
    lease_until_us integer not null,
    draining       integer not null default 0,
    registered_at  text not null,
    closed_at_us   integer
) strict, without rowid;

create table partition_owner (
    partition integer primary key,
    owner     text,
    epoch     integer not null default 0
) strict;

create table ledger (
    partition integer not null,
    origin    text not null,
    number    integer not null check (number > 0),
    primary key (partition, origin)
) strict, without rowid;

create table counters (
    key         text primary key,
    value       integer not null,
    inserted_at text not null,
    updated_at  text not null
) strict, without rowid;

create table quarantine (
    id        integer primary key,
    key       text not null,
    raw_key   blob,
    delta     integer not null,
    partition integer not null,
    node      text not null,
    reason    text not null,
    at        text not null
) strict;
