-- Socio-economic indicators by month: written by `millrace indicators`, read at every scoring. The statement may be repeated.

create table if not exists socio_economic (
    year           integer not null check (year between 1900 and 9999),
    month          integer not null check (month between 1 and 12),
    emp_var_rate   double precision not null,      -- change of employment, percent, quarterly
    cons_price_idx double precision not null,      -- consumer price index
    cons_conf_idx  double precision not null,      -- consumer confidence index
    euribor3m      double precision not null,      -- three-month Euribor, percent a year, median of the month's days
    nr_employed    double precision not null,      -- thousands of people employed
    updated_at     timestamptz not null default now(),
    primary key (year, month)
);
