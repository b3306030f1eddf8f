package peers;

import java.nio.ByteBuffer;
import java.util.StringJoiner;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** The durations of one campaign in one hour. It is written and read again at each event, so it is flat. */
final class Hour {
    private static final double[] SHARES = {0.50, 0.90, 0.95};

    private final Counts handle;
    private final Counts wait;

    Hour() {
        this(new Counts(), new Counts());
    }

    private Hour(Counts handle, Counts wait) {
        this.handle = handle;
        this.wait = wait;
    }

    static Serde<Hour> serde() {
        return Serdes.serdeFrom(
                (topic, hour) -> hour == null ? null : hour.pack(),
                (topic, data) -> data == null ? null : unpack(data));
    }

    Hour add(Event event) {
        handle.add(event.handleTime());
        wait.add(event.waitTime());
        return this;
    }

    /** Returns a JSON array: count, p50, p90 and p95 of the handle time, the same of the wait time. */
    String row() {
        StringJoiner row = new StringJoiner(",", "[", "]").add(String.valueOf(handle.total()));
        for (Counts counts : new Counts[] {handle, wait}) {
            for (double share : SHARES) {
                row.add(String.valueOf(counts.quantile(share)));
            }
        }
        return row.toString();
    }

    private byte[] pack() {
        ByteBuffer to = ByteBuffer.allocate(handle.bytes() + wait.bytes());
        handle.write(to);
        wait.write(to);
        return to.array();
    }

    private static Hour unpack(byte[] data) {
        ByteBuffer from = ByteBuffer.wrap(data);
        return new Hour(Counts.read(from), Counts.read(from));
    }
}
