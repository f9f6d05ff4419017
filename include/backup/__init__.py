"""Backups of an installation: the register, the storage and Airflow's database, to one moment.

**The order.** Two snapshots are taken first, one right after the other: of Airflow's database, then of the register.
Both are dumped from these, however long that takes, and what is stored is copied after them. So

- every file that the register names is in the backup: a file is stored before its row is written, and nothing that a
  row names is given other bytes, moved or deleted afterwards, but by an erasure;
- Airflow is never ahead of the register: what its tasks did a moment later is in the register, where they find it when
  they run again;
- what a client handed in is in the backup though nobody had read it: ``inbox/`` is copied before the snapshots too,
  since the pipeline takes answers out of it meanwhile. What is then there twice is known by its hash.

What came into storage after the register's snapshot is in the backup too, but in no row: a restore sets it aside under
``after-backup/`` instead of leaving it where the work, done again, would write over it.
"""
