-- Commands that point past the log's last event are found without reading the whole journal. Positions rise
-- along the table, so a summary of each range of pages is enough, and costs an append next to nothing.
CREATE INDEX commands_positions ON commands USING brin (last_position);
