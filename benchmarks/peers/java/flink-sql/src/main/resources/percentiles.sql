CREATE TABLE frames (
  `timestamp` STRING,
  payload ROW<campaignId STRING, completionTime STRING, handleTime DOUBLE, waitTime DOUBLE>
) WITH (
  'connector' = 'kafka', 'topic' = 'peers.frames', 'properties.bootstrap.servers' = '${BROKER}',
  'properties.group.id' = 'peer-flink', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json',
  'properties.max.poll.records' = '10000'
);

CREATE VIEW events AS
SELECT payload.campaignId AS campaign, COALESCE(`timestamp`, payload.completionTime) AS completed_at,
       payload.handleTime AS handle_time, payload.waitTime AS wait_time
FROM frames;
