//! What the node asks of a file system, on a real one or on one that forgets what was not synced
