CREATE TABLE deliveries (
  eventId STRING,
  `timestamp` STRING,
  payload ROW<campaignId STRING, completionTime STRING, handleTime DOUBLE, waitTime DOUBLE>,
  arrived AS PROCTIME()
) WITH (
  'connector' = 'kafka', 'topic' = 'cxone.raw.interactions', 'properties.bootstrap.servers' = '${BROKER}',
  'properties.group.id' = 'peer-flink', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json',
  'properties.max.poll.records' = '10000'
);

CREATE TABLE events (
  event_id STRING, campaign STRING, completed_at STRING, handle_time DOUBLE, wait_time DOUBLE
) WITH (
  'connector' = 'kafka', 'topic' = 'peers.flink.completed', 'properties.bootstrap.servers' = '${BROKER}',
  'properties.group.id' = 'peer-flink', 'scan.startup.mode' = 'earliest-offset',
  'key.format' = 'raw', 'key.fields' = 'campaign', 'value.format' = 'avro',
  'properties.max.poll.records' = '10000', 'properties.compression.type' = 'lz4', 'properties.linger.ms' = '5'
);

INSERT INTO events
SELECT eventId, payload.campaignId, COALESCE(`timestamp`, payload.completionTime), payload.handleTime, payload.waitTime
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY eventId ORDER BY arrived) AS delivery FROM deliveries)
WHERE delivery = 1;
