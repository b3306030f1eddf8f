package peers;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/**
 * Flink SQL: {@code Main percentiles} counts what is on peers.frames, {@code Main slice} makes events of the raw
 * frames, each event id once within 15 minutes, and counts those: two jobs that meet in a topic. All in one JVM, at
 * parallelism 1; state on the heap, checkpoints on disk each 10 s; mini-batches of a second, after which a changed
 * hour is published. Kafka's sinks are at least once.
 */
public final class Main {
    private static final String IDS_KEPT = "15 min";
    private static final String FOREVER = "0 ms"; // hours: with a time to live each event costs twice as much
    private static final long POLL_MS = 10;

    public static void main(String[] arguments) throws Exception {
        String job = arguments[0];
        StreamTableEnvironment tables =
                StreamTableEnvironment.create(StreamExecutionEnvironment.createLocalEnvironment(1, settings()));
        tables.getConfig().set("table.exec.state.ttl", IDS_KEPT);
        List<JobClient> jobs = new ArrayList<>(run(tables, job + ".sql"));
        tables.getConfig()
                .set("table.exec.state.ttl", FOREVER)
                .set("table.exec.mini-batch.enabled", "true") // with it the planner refuses to append what is new
                .set("table.exec.mini-batch.allow-latency", "1s")
                .set("table.exec.mini-batch.size", "500000");
        jobs.addAll(run(tables, "hourly.sql"));
        for (JobClient started : jobs) {
            while (started.getJobStatus().get() != JobStatus.RUNNING) {
                Thread.sleep(POLL_MS);
            }
        }
        System.out.println("{\"ready\": [\"Flink SQL\"]}");
        CompletableFuture.anyOf(jobs.stream().map(JobClient::getJobExecutionResult).toArray(CompletableFuture[]::new))
                .join(); // they have no end: throws what one of them failed of
    }

    /** Runs the statements of a file and returns the jobs that they have started. */
    private static List<JobClient> run(StreamTableEnvironment tables, String file) throws IOException {
        List<JobClient> jobs = new ArrayList<>();
        try (InputStream text = Main.class.getResourceAsStream("/" + file)) {
            String statements = new String(text.readAllBytes(), StandardCharsets.UTF_8)
                    .replace("${BROKER}", System.getenv("KAFKA_BOOTSTRAP_SERVERS"));
            for (String statement : statements.split(";\\s*\n")) {
                tables.executeSql(statement).getJobClient().ifPresent(jobs::add);
            }
        }
        return jobs;
    }

    private static Configuration settings() {
        return Configuration.fromMap(Map.ofEntries(
                Map.entry("state.backend.type", "hashmap"),
                Map.entry("execution.checkpointing.interval", "10s"),
                Map.entry("execution.checkpointing.dir", Path.of("checkpoints").toUri().toString()),
                Map.entry("restart-strategy.type", "none"),
                Map.entry("pipeline.object-reuse", "true"),
                Map.entry("taskmanager.memory.network.min", "64mb"),
                Map.entry("taskmanager.memory.network.max", "64mb"),
                Map.entry("taskmanager.memory.managed.size", "128mb")));
    }

    private Main() {}
}
