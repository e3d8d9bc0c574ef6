-- The history of runs: what the recorder writes from run.events and the gateway reads. Every statement may be repeated.
-- An SSE id is events.sequence: the offset of the event's first record in its partition of run.events, monotonic within a run.

create table if not exists runs (
    run            text primary key,
    pipeline       text not null,
    digest         text not null,                  -- the topology the run is pinned to
    status         text not null default 'accepted'
                   check (status in ('accepted', 'running', 'waiting', 'finished', 'failed', 'cancelled')),
    waiting_for    text,                           -- the service that had no live worker, while status is 'waiting'
    input          jsonb,                          -- data.input of run.accepted, when it carries it
    output         jsonb,                          -- data.output of run.finished
    failure        jsonb,                          -- data of run.failed and run.cancelled
    accepted_at    timestamptz,                    -- null while only later events were seen
    updated_at     timestamptz not null,
    ended_at       timestamptz,
    deadline       timestamptz,
    partition      integer not null,               -- of run.events
    ended_sequence bigint                          -- what comes after it in the partition is not part of the run
);

create index if not exists runs_by_time on runs (accepted_at desc nulls last, run);
create index if not exists runs_by_pipeline on runs (pipeline, accepted_at desc nulls last);
create index if not exists runs_by_status on runs (status) where ended_at is null;

create table if not exists events (
    run       text not null,
    sequence  bigint not null,                     -- offset in the run's partition of run.events: the SSE id
    partition integer not null,
    id        uuid not null,                       -- deterministic: the same happening has the same id
    kind      text not null,                       -- run.accepted, node.started, ...
    node      text not null default '',            -- static id of the node; '' for events of the run
    path      text not null default '',            -- printed place: faces[3].thumb
    position  integer[] not null default '{}',     -- indices in the enclosing loops, outermost first
    attempt   integer not null default 0,
    at        timestamptz not null,
    data      jsonb not null default '{}',
    primary key (run, sequence)
);

create unique index if not exists events_by_id on events (run, id);

create table if not exists node_executions (
    run         text not null,
    node        text not null,
    path        text not null,
    position    integer[] not null default '{}',
    status      text not null
                check (status in ('started', 'retrying', 'finished', 'skipped', 'failed')),
    service     text,                              -- data.service of its events, when they carry it
    attempt     integer not null default 1,
    started_at  timestamptz,                       -- of the last attempt
    ended_at    timestamptz,
    output      jsonb,
    failure     jsonb,                             -- data of node.failed and node.retrying
    sequence    bigint not null,                   -- of the last event that changed the row
    primary key (run, node, position)
);

create index if not exists node_executions_by_service on node_executions (service, status) where service is not null;

-- How far the history reaches: every event before next_sequence of the partition is in it.
create table if not exists progress (
    partition     integer primary key,
    next_sequence bigint not null,
    updated_at    timestamptz not null default now()
);

-- Runs that others came of: a shadow repeats a run's request on a version that is tried, a replay repeats a run.
do $$ begin  -- asked first: altering a table waits for everybody who reads it
    if not exists (select from information_schema.columns
                   where table_schema = current_schema() and table_name = 'runs' and column_name = 'replay_of') then
        alter table runs add column if not exists shadow_of text, add column if not exists replay_of text;
    end if;
end $$;
-- Whose objects are gone, and since when.
do $$ begin
    if not exists (select from information_schema.columns
                   where table_schema = current_schema() and table_name = 'runs' and column_name = 'swept_at') then
        alter table runs add column if not exists swept_at timestamptz;
    end if;
end $$;
create index if not exists runs_to_sweep on runs (ended_at) where ended_at is not null and swept_at is null;
create index if not exists runs_by_shadow on runs (shadow_of) where shadow_of is not null;
create index if not exists runs_by_replay on runs (replay_of) where replay_of is not null;

create table if not exists shadow_comparisons (
    shadow_run     text primary key,
    run            text not null,                  -- the caller's
    pipeline       text not null,
    digest         text not null,                  -- of the version that is tried
    against        text not null,                  -- of the version that the caller got
    verdict        text not null check (verdict in ('same', 'different', 'incomparable')),
    differences    jsonb not null default '[]',    -- [{path, active, candidate}]
    seconds        double precision,
    shadow_seconds double precision,
    at             timestamptz not null default now()
);

create index if not exists shadow_comparisons_by_pipeline on shadow_comparisons (pipeline, digest, verdict);

-- What models said: one row for each answer that names its model. Written with the events, corrected by people.
create table if not exists predictions (
    id         uuid primary key,                   -- of the event node.finished: telling it twice changes nothing
    run        text not null,
    node       text not null,
    path       text not null,
    service    text not null,
    model      text not null,
    version    text not null,
    input      text not null,                      -- SHA-256 of the input, objects by their content
    kept       jsonb,                              -- the ref of what was kept of the input for training
    output     jsonb not null,                     -- the whole of it
    confidence double precision,                   -- where the output says one
    at         timestamptz not null
);

do $$ begin
    if not exists (select from information_schema.columns
                   where table_schema = current_schema() and table_name = 'predictions' and column_name = 'kept') then
        alter table predictions add column if not exists kept jsonb;
    end if;
end $$;
create index if not exists predictions_by_time on predictions (at desc, id);
create index if not exists predictions_by_service on predictions (service, at desc, id);
create index if not exists predictions_by_run on predictions (run);

-- Every correction stays; the newest one of a prediction counts.
create table if not exists corrections (
    id         bigint generated always as identity primary key,
    prediction uuid not null references predictions (id),
    author     text not null,                      -- the name of the key that it came with
    at         timestamptz not null default now(),
    old        jsonb not null,                     -- the label that counted before
    new        jsonb not null
);

create index if not exists corrections_by_prediction on corrections (prediction, id desc);

-- What is to be told of ended runs, until it is told or given up: written with the end itself, so that none is lost.
create table if not exists notices (
    id       uuid primary key,                     -- of the run and whom it is told: told twice, it has the same id
    run      text not null,
    pipeline text not null,
    kind     text not null,                        -- run.finished, run.failed, run.cancelled
    channel  text not null check (channel in ('webhook', 'email')),
    target   text not null,
    secret   text not null default '',             -- the name of what a webhook is signed with
    made_at  timestamptz not null default now(),
    tries    integer not null default 0,
    due      timestamptz not null default now(),
    outcome  text check (outcome in ('delivered', 'given up')),
    error    text                                  -- of the last try
);

create index if not exists notices_due on notices (due) where outcome is null;
create index if not exists notices_by_time on notices (made_at desc, id);

-- How far what each model met lately is from what it learned from: replaced whenever it is measured anew.
create table if not exists drift (
    service     text not null,
    model       text not null,
    version     text not null,
    feature     text not null,                     -- output.confidence, input.age
    psi         double precision not null,         -- population stability index, see streams/datasets/drift.py
    chance      double precision,                  -- what chance gives in one case of twenty; null without values
    predictions integer not null,                  -- of how many, the newest
    level       text not null,
    measured_at timestamptz not null default now(),
    primary key (service, version, feature)
);
