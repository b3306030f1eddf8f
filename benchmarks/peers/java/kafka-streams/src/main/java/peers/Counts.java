package peers;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** How many there are of each value, by value. */
final class Counts {
    private static final int ROOM = 4; // one event more after reading seldom needs new arrays

    private int size;
    private long total;
    private double[] values;
    private int[] counts;

    Counts() {
        this(0);
    }

    private Counts(int size) {
        this.size = size;
        values = new double[size + ROOM];
        counts = new int[size + ROOM];
    }

    long total() {
        return total;
    }

    void add(double value) {
        total++;
        int found = Arrays.binarySearch(values, 0, size, value);
        if (found >= 0) {
            counts[found]++;
            return;
        }
        int at = -found - 1;
        if (size == values.length) {
            values = Arrays.copyOf(values, 2 * size);
            counts = Arrays.copyOf(counts, 2 * size);
        }
        System.arraycopy(values, at, values, at + 1, size - at);
        System.arraycopy(counts, at, counts, at + 1, size - at);
        values[at] = value;
        counts[at] = 1;
        size++;
    }

    /** Linear interpolation between closest ranks. */
    double quantile(double share) {
        double rank = share * (total - 1);
        long low = (long) rank;
        long upto = counts[0];
        int at = 0;
        while (upto <= low) {
            upto += counts[++at];
        }
        double below = values[at];
        double above = low + 1 < total && upto <= low + 1 ? values[at + 1] : below;
        return below + (above - below) * (rank - low);
    }

    int bytes() {
        return Integer.BYTES + Long.BYTES + size * (Double.BYTES + Integer.BYTES);
    }

    void write(ByteBuffer to) {
        to.putInt(size).putLong(total);
        to.asDoubleBuffer().put(values, 0, size);
        to.position(to.position() + size * Double.BYTES);
        to.asIntBuffer().put(counts, 0, size);
        to.position(to.position() + size * Integer.BYTES);
    }

    static Counts read(ByteBuffer from) {
        Counts read = new Counts(from.getInt());
        read.total = from.getLong();
        from.asDoubleBuffer().get(read.values, 0, read.size);
        from.position(from.position() + read.size * Double.BYTES);
        from.asIntBuffer().get(read.counts, 0, read.size);
        from.position(from.position() + read.size * Integer.BYTES);
        return read;
    }
}
