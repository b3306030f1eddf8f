package peers;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** One completed interaction: durations in seconds, completedAt in milliseconds since the epoch. */
record Event(String id, String campaign, double handleTime, double waitTime, long completedAt) {
    private static final JsonFactory JSON = new JsonFactory();

    /** Frames as CXone sends them, read token by token. */
    static Serde<Event> fromJson() {
        return Serdes.serdeFrom((topic, event) -> null, (topic, frame) -> parse(frame));
    }

    /** Compact bytes for the topic between. */
    static Serde<Event> compact() {
        return Serdes.serdeFrom((topic, event) -> event.pack(), (topic, data) -> unpack(data));
    }

    static Event parse(byte[] frame) {
        String id = null;
        String campaign = null;
        String timestamp = null;
        String completionTime = null;
        double handleTime = 0;
        double waitTime = 0;
        try (JsonParser parser = JSON.createParser(frame)) {
            for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
                if (token != JsonToken.FIELD_NAME) {
                    continue;
                }
                String name = parser.currentName();
                parser.nextToken();
                switch (name) {
                    case "eventId" -> id = parser.getText();
                    case "campaignId" -> campaign = parser.getText();
                    case "timestamp" -> timestamp = parser.getText();
                    case "completionTime" -> completionTime = parser.getText();
                    case "handleTime" -> handleTime = parser.getDoubleValue();
                    case "waitTime" -> waitTime = parser.getDoubleValue();
                    default -> { }
                }
            }
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
        long at = Instant.parse(timestamp != null ? timestamp : completionTime).toEpochMilli();
        return new Event(id, campaign, handleTime, waitTime, at);
    }

    private byte[] pack() {
        byte[] eventId = id.getBytes(StandardCharsets.UTF_8);
        byte[] campaignId = campaign.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(2 * Short.BYTES + eventId.length + campaignId.length + 3 * Long.BYTES)
                .putShort((short) eventId.length).put(eventId)
                .putShort((short) campaignId.length).put(campaignId)
                .putDouble(handleTime).putDouble(waitTime).putLong(completedAt)
                .array();
    }

    private static Event unpack(byte[] data) {
        ByteBuffer from = ByteBuffer.wrap(data);
        return new Event(text(from), text(from), from.getDouble(), from.getDouble(), from.getLong());
    }

    private static String text(ByteBuffer from) {
        byte[] found = new byte[from.getShort()];
        from.get(found);
        return new String(found, StandardCharsets.UTF_8);
    }
}
