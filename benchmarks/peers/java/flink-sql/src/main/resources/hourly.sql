CREATE TABLE hourly (
  campaign STRING,
  `hour` STRING,
  published STRING,
  PRIMARY KEY (campaign, `hour`) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka', 'topic' = 'peers.hourly', 'properties.bootstrap.servers' = '${BROKER}',
  'key.format' = 'json', 'value.format' = 'raw', 'value.fields-include' = 'EXCEPT_KEY',
  'properties.compression.type' = 'lz4', 'properties.linger.ms' = '5'
);

INSERT INTO hourly
SELECT campaign, `hour`, JSON_ARRAY(events, handle[1], handle[2], handle[3], wait[1], wait[2], wait[3])
FROM (
  SELECT campaign, `hour`, COUNT(*) AS events,
         PERCENTILE(handle_time, ARRAY[0.50, 0.90, 0.95]) AS handle,
         PERCENTILE(wait_time, ARRAY[0.50, 0.90, 0.95]) AS wait
  FROM (SELECT campaign, SUBSTRING(completed_at FROM 1 FOR 13) AS `hour`, handle_time, wait_time FROM events)
  GROUP BY campaign, `hour`);
