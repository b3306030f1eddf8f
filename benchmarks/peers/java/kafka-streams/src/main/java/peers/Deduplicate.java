package peers;

import java.time.Duration;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.state.WindowStoreIterator;

/** Raw frames, keyed by event id -> events, keyed by campaign: an id once within 15 minutes of Kafka's time. */
final class Deduplicate extends ContextualProcessor<String, Event, String, Event> {
    private static final String SEEN = "seen";
    private static final Duration HORIZON = Duration.ofMinutes(15);

    private WindowStore<String, Long> seen;

    /** Returns the events as they are read from the topic {@code completed}. */
    static KStream<String, Event> events(StreamsBuilder builder, String raw, String completed) {
        builder.addStateStore(Stores.windowStoreBuilder(
                        Stores.persistentWindowStore(SEEN, HORIZON, HORIZON, false), Serdes.String(), Serdes.Long())
                .withCachingDisabled()); // an id is not written twice, so that a cache would only copy
        builder.stream(raw, Consumed.with(Serdes.String(), Event.fromJson()))
                .process(Deduplicate::new, SEEN)
                .to(completed, Produced.with(Serdes.String(), Event.compact()));
        return builder.stream(completed, Main.eventTime(Event.compact()));
    }

    @Override
    public void init(ProcessorContext<String, Event> context) {
        super.init(context);
        seen = context.getStateStore(SEEN);
    }

    @Override
    public void process(Record<String, Event> record) {
        long now = record.timestamp();
        try (WindowStoreIterator<Long> before = seen.fetch(record.key(), now - HORIZON.toMillis(), now)) {
            if (before.hasNext()) {
                return;
            }
        }
        seen.put(record.key(), now, now);
        context().forward(record.withKey(record.value().campaign()));
    }
}
