-- A store as the first schema had it: a counter, and limits.
PRAGMA journal_mode = WAL;
CREATE TABLE items (
    partition TEXT NOT NULL,
    sort TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires_at INTEGER,
    active INTEGER,
    seen_at INTEGER,
    digest TEXT,
    accepting INTEGER,
    due_at INTEGER,
    body BLOB NOT NULL,
    PRIMARY KEY (partition, sort)
);
CREATE INDEX active ON items (sort) WHERE active = 1;
CREATE INDEX expiring ON items (expires_at) WHERE expires_at IS NOT NULL;
INSERT INTO items (partition, sort, version, body) VALUES
    ('usage#user:alice', 'usage', 3,
     '{"scope":"user:alice","counts":{"clusters":2,"workers":0,"millicores":0,"memory_bytes":0}}'),
    ('limits', 'default', 1, '{"clusters":2,"memory":null}');
PRAGMA user_version = 1;
