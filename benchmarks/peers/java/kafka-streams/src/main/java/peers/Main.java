package peers;

import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Kafka Streams: {@code Main percentiles} counts what is on peers.frames, {@code Main slice} makes events of the raw
 * frames, each event id once within 15 minutes, and counts those. One thread; RocksDB with changelog topics; at least
 * once. The cache of the windows is flushed at each commit, once a second: then a changed window is published.
 */
public final class Main {
    private static final Duration LATE = Duration.ofDays(1); // a backlog's partitions are hours apart

    public static void main(String[] arguments) {
        String job = arguments[0];
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, Event> events = job.equals("slice")
                ? Deduplicate.events(builder, "cxone.raw.interactions", "peers.streams.completed")
                : builder.stream("peers.frames", eventTime(Event.fromJson()));
        count(events, "peers.hourly");

        KafkaStreams streams = new KafkaStreams(builder.build(), settings("peer-streams-" + job));
        streams.setUncaughtExceptionHandler(problem -> {
            problem.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
        streams.setStateListener((state, before) -> {
            if (state == KafkaStreams.State.RUNNING) {
                System.out.println("{\"ready\": [\"Kafka Streams\"]}");
            } else if (state == KafkaStreams.State.ERROR) {
                Runtime.getRuntime().halt(1);
            }
        });
        CloseOptions leaving = CloseOptions.groupMembershipOperation(GroupMembershipOperation.LEAVE_GROUP);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(leaving))); // else its place stays taken
        streams.start();
    }

    /** Reads values whose time is that of their event. */
    static Consumed<String, Event> eventTime(Serde<Event> serde) {
        return Consumed.with(Serdes.String(), serde)
                .withTimestampExtractor((message, partitionTime) -> ((Event) message.value()).completedAt());
    }

    private static void count(KStream<String, Event> events, String results) {
        events.groupByKey()
                .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofHours(1), LATE))
                .aggregate(Hour::new, (campaign, event, hour) -> hour.add(event), Main.<Hour>store("hours", Hour.serde()))
                .toStream()
                .map((window, hour) -> KeyValue.pair(key(window), hour.row()))
                .to(results, Produced.with(Serdes.String(), Serdes.String()));
    }

    private static <V> Materialized<String, V, WindowStore<Bytes, byte[]>> store(String name, Serde<V> serde) {
        return Materialized.<String, V, WindowStore<Bytes, byte[]>>as(name)
                .withKeySerde(Serdes.String())
                .withValueSerde(serde);
    }

    private static String key(Windowed<String> window) {
        return window.key() + "|" + window.window().start();
    }

    private static Properties settings(String application) {
        Properties settings = new Properties();
        settings.putAll(Map.of(
                StreamsConfig.APPLICATION_ID_CONFIG, application,
                StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("KAFKA_BOOTSTRAP_SERVERS"),
                StreamsConfig.STATE_DIR_CONFIG, "state",
                StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000,
                StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20,
                StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest",
                StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4"));
        return settings;
    }

    private Main() {}
}
