-- The event stream into `events` of tables.sql. Put your brokers in place of kafka:9092; where they want TLS or SASL,
-- ClickHouse has it in its server's configuration, section <kafka>.
--
-- The relay publishes in transactions; ClickHouse's client reads committed records by itself.

CREATE TABLE IF NOT EXISTS event_stream
(
    data String
)
ENGINE = Kafka
SETTINGS kafka_broker_list = 'kafka:9092',
         kafka_topic_list = 'daybook.events',
         kafka_group_name = 'clickhouse',
         kafka_format = 'JSONAsString';

-- A record's value is the event's data, its headers are the CloudEvent's attributes.
CREATE MATERIALIZED VIEW IF NOT EXISTS events_of_stream TO events AS
WITH mapFromArrays(_headers.name, _headers.value) AS attributes
SELECT toUInt64(attributes['ce_position']) AS position,
       attributes['ce_stream'] AS stream,
       toUInt64(attributes['ce_streamversion']) AS version,
       attributes['ce_type'] AS type,
       parseDateTime64BestEffort(attributes['ce_recordedat'], 6, 'UTC') AS recorded_at,
       parseDateTime64BestEffort(attributes['ce_time'], 6, 'UTC') AS valid_at,
       data
  FROM event_stream;
