/* The usual interaction, read and written without Python's objects: what happens to each of 100,000 events a second.

   Records are taken in runs. A run ends before the first record that is not usual, of which nothing has changed yet; the
   modules in Python that do the same look at that one: they say why something is refused. What is taken here, they would
   take, too, with the same result; tests hold both to that. So nothing here is needed, and a reader of the rules need
   not read it. See schemas/compiled.py.

   A value of `bytes` ends with a zero byte that does not belong to it, as CPython promises: each loop stops there. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#if PY_BIG_ENDIAN || FLT_EVAL_METHOD != 0
#error "numbers are laid out, or rounded, otherwise than here: do without"
#endif

#define LONGEST_FRAME 65536 /* bytes */
#define LONGEST_ESCAPED 1024 /* bytes of a text that is wanted and has escapes */
#define DEEPEST 32
#define MOST_ENTRIES 1000 /* of an array or an object */
#define DIGITS 15 /* a number of so many lies in a double, and so does its power of ten: the quotient is rounded once */
#define LONGEST_SKIPPED 32 /* characters of a number that nobody reads */
#define MOST_NODES 64
#define NOWHERE INT_MAX
#define LONGEST_SKEW 31556952000000 /* ms */
#define SOURCE_POSITION "cxone-source-position" /* names of headers, as in schemas/envelope.py */
#define LOG_TIME "cxone-log-time"
#define REPLAY_FOR "cxone-replay-for"

typedef struct {
    const unsigned char *at;
    Py_ssize_t size;
} Text;

/* ---- Numbers as digits, and times ------------------------------------------------------------------------------ */

static int is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

/* Read the digits from `*at` on, at most `most`. Returns how many there are, or 0 if they are none or too many. */
static int digits(const unsigned char **at, int most, int64_t *number) {
    const unsigned char *p = *at;
    int64_t found = 0;
    while (is_digit(*p)) {
        if (p - *at == most) return 0;
        found = 10 * found + (*p++ - '0');
    }
    int many = (int)(p - *at);
    *number = found, *at = p;
    return many;
}

/* Read exactly `many` digits from `p` on. Returns -1 where they are none. */
static int exactly(const unsigned char *p, int many) {
    int found = 0;
    for (; many; many--, p++) {
        if (!is_digit(*p)) return -1;
        found = 10 * found + (*p - '0');
    }
    return found;
}

/* Return the days from 1970-01-01 to a day of the Gregorian calendar (Hinnant, chrono-Compatible Low-Level Date
   Algorithms), or INT64_MIN where there is no such day. */
static int64_t days(int year, int month, int day) {
    static const int longest[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > longest[month - 1] - (month == 2 && !leap))
        return INT64_MIN;
    int y = year - (month <= 2), era = y / 400, of_era = y - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Read YYYY-MM-DDThh:mm:ss, a fraction of up to nine digits, and Z, +hh:mm or nothing, which is UTC: milliseconds since
   the epoch, cut off. Returns INT64_MIN where it is written otherwise. */
static int64_t milliseconds(Text text) {
    const unsigned char *p = text.at, *end = text.at + text.size;
    if (text.size < 19 || p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[13] != ':' || p[16] != ':') return INT64_MIN;
    int year = exactly(p, 4), month = exactly(p + 5, 2), day = exactly(p + 8, 2);
    int hour = exactly(p + 11, 2), minute = exactly(p + 14, 2), second = exactly(p + 17, 2);
    int64_t date = days(year, month, day);
    if (date == INT64_MIN || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return INT64_MIN;
    int64_t of_second = 0, offset = 0;
    p += 19;
    if (p < end && *p == '.') {
        const unsigned char *fraction = ++p;
        if (!digits(&p, 9, &of_second)) return INT64_MIN;
        int many = (int)(p - fraction);
        for (; many < 3; many++) of_second *= 10;
        for (; many > 3; many--) of_second /= 10;
    }
    if (p < end && *p == 'Z') p++;
    else if (p < end && (*p == '+' || *p == '-')) {
        if (end - p != 6 || p[3] != ':') return INT64_MIN;
        int hours = exactly(p + 1, 2), minutes = exactly(p + 4, 2);
        if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return INT64_MIN;
        offset = (*p == '+' ? 60 : -60) * (60 * hours + minutes);
        p += 6;
    }
    if (p != end) return INT64_MIN;
    return 1000 * (86400 * date + 3600 * hour + 60 * minute + second - offset) + of_second;
}

/* ---- BLAKE2b of 64 bits (RFC 7693) ------------------------------------------------------------------------------ */

static const uint64_t IV[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                               0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
static const unsigned char SIGMA[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

static uint64_t rotated(uint64_t x, int by) { return x >> by | x << (64 - by); }

#define MIX(a, b, c, d, x, y)                                                                                          \
    v[a] += v[b] + (x), v[d] = rotated(v[d] ^ v[a], 32), v[c] += v[d], v[b] = rotated(v[b] ^ v[c], 24),                \
    v[a] += v[b] + (y), v[d] = rotated(v[d] ^ v[a], 16), v[c] += v[d], v[b] = rotated(v[b] ^ v[c], 63)

/* Written out twelve times: as a loop it took three times as long. */
#define ROUND(s)                                                                                                       \
    MIX(0, 4, 8, 12, m[s[0]], m[s[1]]), MIX(1, 5, 9, 13, m[s[2]], m[s[3]]), MIX(2, 6, 10, 14, m[s[4]], m[s[5]]),       \
    MIX(3, 7, 11, 15, m[s[6]], m[s[7]]), MIX(0, 5, 10, 15, m[s[8]], m[s[9]]), MIX(1, 6, 11, 12, m[s[10]], m[s[11]]),   \
    MIX(2, 7, 8, 13, m[s[12]], m[s[13]]), MIX(3, 4, 9, 14, m[s[14]], m[s[15]])

static uint64_t blake2b(Text text) {
    uint64_t h[8], v[16], m[16];
    memcpy(h, IV, sizeof h);
    h[0] ^= 0x01010000 ^ sizeof(uint64_t); /* no key, and so many bytes of digest */
    const unsigned char *p = text.at;
    Py_ssize_t left = text.size;
    uint64_t done = 0;
    do {
        Py_ssize_t taken = left > 128 ? 128 : left;
        memset(m, 0, sizeof m);
        memcpy(m, p, (size_t)taken);
        p += taken, left -= taken, done += (uint64_t)taken;
        memcpy(v, h, sizeof h), memcpy(v + 8, IV, sizeof IV);
        v[12] ^= done;
        if (!left) v[14] = ~v[14];
        ROUND(SIGMA[0]), ROUND(SIGMA[1]), ROUND(SIGMA[2]), ROUND(SIGMA[3]), ROUND(SIGMA[4]), ROUND(SIGMA[5]);
        ROUND(SIGMA[6]), ROUND(SIGMA[7]), ROUND(SIGMA[8]), ROUND(SIGMA[9]), ROUND(SIGMA[0]), ROUND(SIGMA[1]);
        for (int i = 0; i < 8; i++) h[i] ^= v[i] ^ v[i + 8];
    } while (left);
    return h[0];
}

/* ---- Avro (1.11, binary encoding) --------------------------------------------------------------------------------- */

static unsigned char *write_long(unsigned char *p, int64_t number) {
    uint64_t zigzag = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
    for (; zigzag > 127; zigzag >>= 7) *p++ = (unsigned char)((zigzag & 127) | 128);
    *p++ = (unsigned char)zigzag;
    return p;
}

static unsigned char *write_text(unsigned char *p, Text text) {
    p = write_long(p, text.size);
    memcpy(p, text.at, (size_t)text.size);
    return p + text.size;
}

/* Read a number of up to nine bytes. Returns where it ends, NULL if it does not before `end`. */
static const unsigned char *read_long(const unsigned char *p, const unsigned char *end, int64_t *number) {
    uint64_t zigzag = 0;
    for (int shift = 0; shift < 63 && p < end; shift += 7) {
        zigzag |= (uint64_t)(*p & 127) << shift;
        if (*p++ < 128) {
            *number = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
            return p;
        }
    }
    return NULL;
}

static const unsigned char *read_text(const unsigned char *p, const unsigned char *end, Text *text) {
    int64_t size;
    p = read_long(p, end, &size);
    if (p == NULL || size < 0 || size > end - p) return NULL;
    text->at = p, text->size = (Py_ssize_t)size;
    return p + size;
}

/* ---- Records and their headers ------------------------------------------------------------------------------------ */

/* What a record has, by names that are made once. */
typedef struct {
    PyObject *offset, *timestamp, *value, *headers;
} Names;

static int make_names(Names *names) {
    names->offset = PyUnicode_InternFromString("offset"), names->timestamp = PyUnicode_InternFromString("timestamp");
    names->value = PyUnicode_InternFromString("value"), names->headers = PyUnicode_InternFromString("headers");
    return names->offset && names->timestamp && names->value && names->headers ? 0 : -1;
}

static void drop_names(Names *names) {
    Py_XDECREF(names->offset), Py_XDECREF(names->timestamp), Py_XDECREF(names->value), Py_XDECREF(names->headers);
}

/* Return the records from `begin` on, as arguments say; their number, or -1 with an exception. */
static Py_ssize_t records_of(PyObject *const *args, Py_ssize_t *begin) {
    if (!PyList_Check(args[0]) && !PyTuple_Check(args[0]))
        return PyErr_SetString(PyExc_TypeError, "records are a list or a tuple"), -1;
    *begin = PyLong_AsSsize_t(args[1]);
    if (*begin < 0) return PyErr_Occurred() ? -1 : (PyErr_SetString(PyExc_ValueError, "a place from 0"), -1);
    return PySequence_Fast_GET_SIZE(args[0]);
}

static int is_headers(PyObject *headers) { return PyList_CheckExact(headers) || PyTuple_CheckExact(headers); }

/* Return the value of the header at `index` if it has this name, else NULL. Borrowed. */
static PyObject *header(PyObject *headers, Py_ssize_t index, const char *name) {
    PyObject *pair = PySequence_Fast_GET_ITEM(headers, index);
    if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2) return NULL;
    PyObject *its_name = PyTuple_GET_ITEM(pair, 0), *value = PyTuple_GET_ITEM(pair, 1);
    if (!PyUnicode_CheckExact(its_name) || PyUnicode_CompareWithASCIIString(its_name, name) ||
        !PyBytes_CheckExact(value))
        return NULL;
    return value;
}

/* Make a header, a pair of headers, or a key. Takes both over. */
static PyObject *tuple_of(PyObject *first, PyObject *second) {
    PyObject *made = first && second ? PyTuple_New(2) : NULL;
    if (made == NULL) return Py_XDECREF(first), Py_XDECREF(second), NULL;
    PyTuple_SET_ITEM(made, 0, first), PyTuple_SET_ITEM(made, 1, second);
    PyObject_GC_UnTrack(made); /* of texts, bytes and numbers: no circle goes through it */
    return made;
}

/* Write a number as Python's %d does. Returns where it ends, at most 20 bytes on. */
static char *write_decimal(char *p, int64_t number) {
    char digits[20], *first = digits + sizeof digits;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do *--first = (char)('0' + left % 10);
    while (left /= 10);
    if (number < 0) *p++ = '-';
    size_t many = (size_t)(digits + sizeof digits - first);
    memcpy(p, first, many);
    return p + many;
}

/* ---- Frames: where a tenant's dialect keeps what is wanted -------------------------------------------------------- */

enum { COMPLETED_AT, EVENT_ID, CAMPAIGN, HANDLE, WAIT, EVENT_TYPE, LEAVES };

typedef struct {
    Text key;
    int leaf, rank; /* which one, -1 where objects go on; of its paths the how-many-eth */
    int child, sibling; /* nodes, 0 for none */
    uint64_t marks; /* of the children's keys */
} Node;

typedef struct {
    PyObject_HEAD
    Node nodes[MOST_NODES]; /* the first is the frame */
    int many;
    PyObject *paths, *types, *header; /* keep what `nodes` and `read` point into */
    PyObject *outgoing, *topic, *position_name, *log_time_name; /* of what goes out */
    Names names;
    int64_t earliest, clock_skew, longest_text;
    double longest;
} Frames;

typedef struct {
    const Frames *frames;
    const unsigned char *at, *end;
    Text texts[LEAVES];
    double numbers[LEAVES];
    int ranks[LEAVES]; /* of the paths that they were found by */
    uint64_t seen; /* nodes */
    unsigned wrong; /* bits of leaves: what was found is of another type */
    unsigned char scratch[LEAVES][LONGEST_ESCAPED]; /* of texts with escapes */
    int high; /* whether a byte of a string is not ASCII */
} Scan;

/* Return one of 64 bits, which tells most keys apart without comparing them. */
static uint64_t mark(Text key) {
    if (!key.size) return 1;
    return (uint64_t)1 << ((key.size + 7 * key.at[0] + 31 * key.at[key.size - 1]) & 63);
}

static int find(const Frames *frames, int node, Text key) {
    if (!(frames->nodes[node].marks & mark(key))) return 0;
    for (int child = frames->nodes[node].child; child; child = frames->nodes[child].sibling) {
        Text its = frames->nodes[child].key;
        if (its.size == key.size && !memcmp(its.at, key.at, (size_t)key.size)) return child;
    }
    return 0;
}

static void space(Scan *scan) {
    while (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r') scan->at++;
}

/* Bytes of a string that are more than characters: its end, escapes, what is not allowed, what is not ASCII. */
static unsigned char LOOK_AT[256];

static void prepare(void) {
    for (int byte = 0; byte < 256; byte++) LOOK_AT[byte] = byte < 32 || byte > 127 || byte == '"' || byte == '\\';
}

/* Pass over characters, eight at a time where there are so many. Returns where one is that has to be looked at. */
static const unsigned char *plain(const unsigned char *p, const unsigned char *end) {
    const uint64_t each = 0x0101010101010101;
    for (; end - p >= 8; p += 8) {
        uint64_t eight;
        memcpy(&eight, p, 8);
        uint64_t quotes = (eight ^ each * '"') - each, backslashes = (eight ^ each * '\\') - each;
        /* A subtraction that borrows sets the highest bit of a byte; the first that does is right. */
        uint64_t found = (quotes | backslashes | (eight - each * 32) | eight) & each * 128;
        if (found) return p + __builtin_ctzll(found) / 8;
    }
    while (!LOOK_AT[*p]) p++;
    return p;
}

/* Pass over a string. Returns 0 if it is none, 1 if it says what its bytes say, 2 if it has escapes. */
static int string(Scan *scan, Text *text) {
    if (*scan->at != '"') return 0;
    const unsigned char *p = ++scan->at;
    int kind = 1;
    for (;; p++) {
        p = plain(p, scan->end);
        if (*p == '"') break;
        if (*p < 32) return 0;
        if (*p > 127) scan->high = 1;
        else {
            kind = 2;
            if (*++p == '\0' || strchr("\"\\/bfnrt", *p) == NULL) return 0; /* \u may be half of a character */
        }
    }
    text->at = scan->at, text->size = p - scan->at;
    scan->at = p + 1;
    return kind;
}

/* Pass over a number without an exponent, which a double may not hold. */
static int number(Scan *scan) {
    const unsigned char *p = scan->at;
    p += *p == '-';
    if (!is_digit(*p) || (*p == '0' && is_digit(p[1]))) return 0;
    while (is_digit(*p)) p++;
    if (*p == '.') {
        if (!is_digit(*++p)) return 0;
        while (is_digit(*p)) p++;
    }
    if (*p == 'e' || *p == 'E' || p - scan->at > LONGEST_SKIPPED) return 0;
    scan->at = p;
    return 1;
}

/* Read a number from 0 of up to fifteen digits. */
static int amount(Scan *scan, double *found) {
    static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const unsigned char *begin = scan->at, *p = begin;
    int64_t whole, fraction = 0;
    if (!number(scan) || *begin == '-') return 0;
    int before = digits(&p, DIGITS, &whole), after = 0;
    if (!before) return 0;
    if (*p == '.') {
        p++;
        if (!(after = digits(&p, DIGITS, &fraction)) || before + after > DIGITS) return 0;
    }
    *found = (double)(whole * (int64_t)tens[after] + fraction) / tens[after];
    return 1;
}

static int object(Scan *scan, int node, int depth);

static int array(Scan *scan, int depth);

static int literal(Scan *scan, const char *text, size_t size) {
    if (strncmp((const char *)scan->at, text, size)) return 0;
    scan->at += size;
    return 1;
}

static int skip(Scan *scan, int depth) {
    Text text;
    switch (*scan->at) {
    case '"': return string(scan, &text);
    case '{': return object(scan, -1, depth + 1);
    case '[': return array(scan, depth + 1);
    case 't': return literal(scan, "true", 4);
    case 'f': return literal(scan, "false", 5);
    case 'n': return literal(scan, "null", 4);
    default: return number(scan);
    }
}

static int array(Scan *scan, int depth) {
    if (depth > DEEPEST) return 0;
    scan->at++, space(scan);
    if (*scan->at == ']') return scan->at++, 1;
    for (int many = 0;; scan->at++, space(scan)) {
        if (++many > MOST_ENTRIES || !skip(scan, depth)) return 0;
        space(scan);
        if (*scan->at == ']') return scan->at++, 1;
        if (*scan->at != ',') return 0;
    }
}

/* Put what a text with escapes says into `to`. Returns 0 if it is longer than LONGEST_ESCAPED. */
static int unescape(Text *text, unsigned char *to) {
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const unsigned char *from = text->at, *end = text->at + text->size;
    if (text->size > LONGEST_ESCAPED) return 0;
    text->at = to;
    for (; from < end; from++) *to++ = *from == '\\' ? (unsigned char)meant[strchr(escapes, *++from) - escapes] : *from;
    text->size = to - text->at;
    return 1;
}

static int wanted(Scan *scan, int node, int depth) {
    if (scan->seen & (uint64_t)1 << node) return 0; /* a key twice: which of them counts is not decided here */
    scan->seen |= (uint64_t)1 << node;
    int leaf = scan->frames->nodes[node].leaf, rank = scan->frames->nodes[node].rank;
    if (leaf < 0) return *scan->at == '{' ? object(scan, node, depth + 1) : skip(scan, depth);
    if (rank > scan->ranks[leaf]) return skip(scan, depth); /* an earlier path has led to it */
    int is_number = leaf == HANDLE || leaf == WAIT, is_right = is_number ? is_digit(*scan->at) : *scan->at == '"';
    scan->ranks[leaf] = rank;
    scan->wrong = (scan->wrong & ~(1u << leaf)) | (unsigned)!is_right << leaf;
    if (!is_right) return skip(scan, depth); /* an earlier path may lead to it */
    if (is_number) return amount(scan, &scan->numbers[leaf]);
    int kind = string(scan, &scan->texts[leaf]);
    return kind == 2 ? unescape(&scan->texts[leaf], scan->scratch[leaf]) : kind;
}

/* Pass over an object, and take what is wanted at `node`; -1 for nothing. */
static int object(Scan *scan, int node, int depth) {
    if (depth > DEEPEST) return 0;
    scan->at++, space(scan);
    if (*scan->at == '}') return scan->at++, 1;
    for (int many = 0;; scan->at++, space(scan)) {
        Text key;
        if (++many > MOST_ENTRIES || string(scan, &key) != 1) return 0; /* with escapes, it may be one that is wanted */
        space(scan);
        if (*scan->at++ != ':') return 0;
        space(scan);
        int child = node < 0 ? 0 : find(scan->frames, node, key);
        if (!(child ? wanted(scan, child, depth) : skip(scan, depth))) return 0;
        space(scan);
        if (*scan->at == '}') return scan->at++, 1;
        if (*scan->at != ',') return 0;
    }
}

/* Whether a text has 1 to `longest` characters. */
static int fits(Text text, int64_t longest) {
    int64_t many = 0;
    for (Py_ssize_t i = 0; i < text.size; i++) many += (text.at[i] & 0xc0) != 0x80;
    return many >= 1 && many <= longest;
}

static int is_completed(const Frames *frames, Text type) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(frames->types); i++) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(frames->types, i), &size);
        if (text == NULL) return PyErr_Clear(), 0;
        if (size == type.size && !memcmp(text, type.at, (size_t)size)) return 1;
    }
    return 0;
}

static int is_utf8(const char *data, Py_ssize_t size) {
    Py_ssize_t ascii = 0;
    while (ascii < size && (signed char)data[ascii] >= 0) ascii++;
    if (ascii == size) return 1;
    PyObject *text = PyUnicode_DecodeUTF8(data, size, "strict");
    if (text == NULL) return PyErr_Clear(), 0;
    Py_DECREF(text);
    return 1;
}

static PyObject *bytes_of(Text text) { return PyBytes_FromStringAndSize((const char *)text.at, text.size); }

/* Read a frame. Returns its event time, or INT64_MIN where Python has to look. */
static int64_t read_frame(const Frames *self, Scan *scan, PyObject *value, int64_t arrived) {
    if (!PyBytes_CheckExact(value) || PyBytes_GET_SIZE(value) > LONGEST_FRAME) return INT64_MIN;
    const char *data = PyBytes_AS_STRING(value);
    Py_ssize_t size = PyBytes_GET_SIZE(value);
    scan->frames = self, scan->at = (const unsigned char *)data, scan->end = scan->at + size;
    scan->seen = 0, scan->wrong = 0, scan->high = 0;
    for (int leaf = 0; leaf < LEAVES; leaf++) scan->ranks[leaf] = NOWHERE;
    space(scan);
    if (*scan->at != '{' || !object(scan, 0, 1)) return INT64_MIN;
    space(scan);
    if (scan->at != scan->end || scan->wrong) return INT64_MIN;
    for (int leaf = 0; leaf < LEAVES; leaf++)
        if (scan->ranks[leaf] == NOWHERE) return INT64_MIN;
    if (scan->high && !is_utf8(data, size)) return INT64_MIN;
    int64_t at = milliseconds(scan->texts[COMPLETED_AT]);
    if (at < self->earliest || at - self->clock_skew > arrived || scan->numbers[HANDLE] > self->longest ||
        scan->numbers[WAIT] > self->longest || !fits(scan->texts[EVENT_ID], self->longest_text) ||
        !fits(scan->texts[CAMPAIGN], self->longest_text) || !is_completed(self, scan->texts[EVENT_TYPE]))
        return INT64_MIN;
    return at;
}

/* Return the Avro record of a frame that was read. */
static PyObject *encoded(const Frames *self, const Scan *scan, int64_t at) {
    Text id = scan->texts[EVENT_ID], campaign = scan->texts[CAMPAIGN];
    size_t before = (size_t)PyBytes_GET_SIZE(self->header);
    unsigned char *record = PyMem_Malloc(before + (size_t)(id.size + campaign.size) + 64);
    if (record == NULL) return PyErr_NoMemory();
    memcpy(record, PyBytes_AS_STRING(self->header), before);
    unsigned char *p = record + before;
    *p++ = 2; /* the branch of the union: there is an event id */
    p = write_text(write_text(p, id), campaign);
    memcpy(p, &scan->numbers[HANDLE], 8), memcpy(p + 8, &scan->numbers[WAIT], 8);
    p = write_long(p + 16, at);
    *p++ = 0; /* revision */
    PyObject *made = PyBytes_FromStringAndSize((char *)record, p - record);
    PyMem_Free(record);
    return made;
}

/* What goes on from one record to the next. */
typedef struct {
    int64_t partition, position, until;
    PyObject *take, *first_time, *outputs, *numbers;
    PyObject *time_header; /* of the record before, whose log time is `log_time`; NULL at first */
    int64_t log_time;
    Scan scan;
} Run;

/* Whether headers mark what is replayed for one stage, or are none that are looked at here. */
static int is_marked(PyObject *headers) {
    if (!is_headers(headers)) return 1;
    if (!PySequence_Fast_GET_SIZE(headers)) return 0;
    PyObject *first = PySequence_Fast_GET_ITEM(headers, 0);
    if (!PyTuple_CheckExact(first) || !PyTuple_GET_SIZE(first)) return 1;
    PyObject *name = PyTuple_GET_ITEM(first, 0);
    return !PyUnicode_CheckExact(name) || !PyUnicode_CompareWithASCIIString(name, REPLAY_FOR);
}

/* Return the header of an event's log time, which Python is told of the event for. */
static PyObject *log_time_header(const Frames *self, Run *run, int64_t at, PyObject *arrived) {
    PyObject *times[2] = {PyLong_FromLongLong(at), arrived};
    PyObject *log_time = times[0] == NULL ? NULL : PyObject_Vectorcall(run->take, times, 2, NULL);
    int64_t number = log_time == NULL ? -1 : PyLong_AsLongLong(log_time);
    Py_XDECREF(times[0]), Py_XDECREF(log_time);
    if (number == -1 && PyErr_Occurred()) return NULL;
    if (run->time_header == NULL || number != run->log_time) {
        char text[20];
        PyObject *value = PyBytes_FromStringAndSize(text, write_decimal(text, number) - text);
        Py_XSETREF(run->time_header, tuple_of(Py_NewRef(self->log_time_name), value));
        run->log_time = number;
    }
    return Py_XNewRef(run->time_header);
}

/* Return the record to publish of a frame that was read. Takes the header of its log time over. */
static PyObject *output(const Frames *self, const Run *run, int64_t offset, int64_t at, PyObject *time_header) {
    char text[48], *p = write_decimal(text, run->partition);
    *p++ = ':';
    PyObject *position = PyBytes_FromStringAndSize(text, write_decimal(p, offset) - text);
    PyObject *parts[4] = {self->topic, bytes_of(run->scan.texts[CAMPAIGN]), encoded(self, &run->scan, at),
                          tuple_of(tuple_of(Py_NewRef(self->position_name), position), time_header)};
    PyObject *made = parts[1] && parts[2] && parts[3] ? PyObject_Vectorcall(self->outgoing, parts, 4, NULL) : NULL;
    Py_XDECREF(parts[1]), Py_XDECREF(parts[2]), Py_XDECREF(parts[3]);
    return made;
}

/* Take a frame of the offset and the arrival. Returns 1, 0 if Python has to look, -1 with an exception. */
static int take_frame(Frames *self, Run *run, PyObject *record, PyObject *offset_, PyObject *arrived_) {
    int64_t offset = PyLong_AsLongLong(offset_), arrived = PyLong_AsLongLong(arrived_), at = INT64_MIN;
    if (PyErr_Occurred()) return -1;
    if (offset <= run->position || arrived >= run->until) return 0;
    PyObject *headers = PyObject_GetAttr(record, self->names.headers);
    PyObject *value = headers == NULL ? NULL : PyObject_GetAttr(record, self->names.value);
    int marked = headers == NULL || is_marked(headers);
    if (value != NULL && !marked) at = read_frame(self, &run->scan, value, arrived);
    int taken = value == NULL ? -1 : 0;
    if (at != INT64_MIN) {
        PyObject *time_header = log_time_header(self, run, at, arrived_), *made = NULL;
        uint64_t hash = blake2b(run->scan.texts[EVENT_ID]);
        PyObject *number = PyBytes_FromStringAndSize((char *)&hash, 8);
        PyObject *answer = time_header && number ? PyObject_CallOneArg(run->first_time, number) : NULL;
        int is_new = answer == NULL ? -1 : PyObject_IsTrue(answer);
        if (is_new > 0) made = output(self, run, offset, at, Py_NewRef(time_header));
        if (!is_new || (made && !PyList_Append(run->outputs, made) && !PyList_Append(run->numbers, number))) taken = 1;
        else taken = -1;
        Py_XDECREF(time_header), Py_XDECREF(number), Py_XDECREF(answer), Py_XDECREF(made);
        run->position = offset;
    }
    Py_XDECREF(headers), Py_XDECREF(value);
    return taken;
}

static PyObject *frames_run(Frames *self, PyObject *const *args, Py_ssize_t many) {
    if (many != 7) return PyErr_SetString(PyExc_TypeError, "run takes seven arguments"), NULL;
    Py_ssize_t begin, place, end = records_of(args, &begin);
    if (end < 0) return NULL;
    Run run;
    run.partition = PyLong_AsLongLong(args[2]), run.position = PyLong_AsLongLong(args[3]);
    run.until = PyLong_Check(args[4]) ? PyLong_AsLongLong(args[4]) : INT64_MIN; /* it begins as a float: not yet */
    if (PyErr_Occurred()) return NULL;
    run.take = args[5], run.first_time = args[6], run.time_header = NULL;
    run.outputs = PyList_New(0), run.numbers = PyList_New(0);
    int taken = run.outputs && run.numbers ? 1 : -1;
    for (place = begin; taken > 0 && place < end && place < PySequence_Fast_GET_SIZE(args[0]); place += taken > 0) {
        PyObject *record = Py_NewRef(PySequence_Fast_GET_ITEM(args[0], place));
        PyObject *offset = PyObject_GetAttr(record, self->names.offset);
        PyObject *arrived = offset == NULL ? NULL : PyObject_GetAttr(record, self->names.timestamp);
        taken = arrived == NULL ? -1 : take_frame(self, &run, record, offset, arrived);
        Py_DECREF(record), Py_XDECREF(offset), Py_XDECREF(arrived);
    }
    PyObject *found = taken < 0 ? NULL : Py_BuildValue("nOO", place - begin, run.outputs, run.numbers);
    Py_XDECREF(run.outputs), Py_XDECREF(run.numbers), Py_XDECREF(run.time_header);
    return found;
}

/* Put a path into the tree. Returns -1, with ValueError, where two paths would need each other's place. */
static int put(Frames *frames, PyObject *path, int leaf, int rank) {
    int node = 0;
    if (!PyTuple_Check(path) || !PyTuple_GET_SIZE(path)) goto wrong;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(path); i++) {
        Text key;
        key.at = (const unsigned char *)PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(path, i), &key.size);
        if (key.at == NULL) return -1;
        int last = i + 1 == PyTuple_GET_SIZE(path), child = find(frames, node, key);
        if (child && (last || frames->nodes[child].leaf >= 0)) goto wrong;
        if (!child) {
            if (frames->many == MOST_NODES) goto wrong;
            child = frames->many++;
            frames->nodes[child] =
                (Node){.key = key, .leaf = last ? leaf : -1, .rank = rank, .sibling = frames->nodes[node].child};
            frames->nodes[node].child = child, frames->nodes[node].marks |= mark(key);
        }
        node = child;
    }
    return 0;
wrong:
    PyErr_SetString(PyExc_ValueError, "paths that are not read here");
    return -1;
}

/* Put the first path of a leaf into the tree. */
static int put_first(Frames *frames, PyObject *paths, int leaf) {
    if (!PyTuple_Check(paths) || !PyTuple_GET_SIZE(paths)) return PyErr_SetString(PyExc_ValueError, "no path"), -1;
    return put(frames, PyTuple_GET_ITEM(paths, 0), leaf, 0);
}

/* Put the others there, up to one for which there is no place: what only that and later ones lead to is not found. */
static int put_others(Frames *frames, PyObject *paths, int leaf) {
    for (int rank = 1; rank < PyTuple_GET_SIZE(paths); rank++)
        if (put(frames, PyTuple_GET_ITEM(paths, rank), leaf, rank)) {
            if (!PyErr_ExceptionMatches(PyExc_ValueError)) return -1;
            return PyErr_Clear(), 0;
        }
    return 0;
}

static int frames_init(Frames *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"paths",      "types",   "header",       "outgoing", "topic", "earliest",
                            "clock_skew", "longest", "longest_text", NULL};
    PyObject *paths, *types, *header, *outgoing, *topic;
    long long earliest, clock_skew, longest_text;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!SOULLdL", names, &PyTuple_Type, &paths, &PyTuple_Type, &types,
                                     &header, &outgoing, &topic, &earliest, &clock_skew, &self->longest, &longest_text))
        return -1;
    if (self->paths != NULL || PyTuple_GET_SIZE(paths) != LEAVES || clock_skew < 0 || clock_skew > LONGEST_SKEW)
        return PyErr_SetString(PyExc_ValueError, "paths of six leaves, once, and a skew of up to a thousand years"), -1;
    self->earliest = earliest, self->clock_skew = clock_skew, self->longest_text = longest_text;
    self->paths = Py_NewRef(paths), self->types = Py_NewRef(types), self->header = Py_NewRef(header);
    self->outgoing = Py_NewRef(outgoing), self->topic = Py_NewRef(topic);
    self->position_name = PyUnicode_InternFromString(SOURCE_POSITION);
    self->log_time_name = PyUnicode_InternFromString(LOG_TIME);
    if (make_names(&self->names) || !self->position_name || !self->log_time_name) return -1;
    self->nodes[0] = (Node){.leaf = -1};
    self->many = 1;
    for (int leaf = 0; leaf < LEAVES; leaf++)
        if (put_first(self, PyTuple_GET_ITEM(paths, leaf), leaf)) return -1;
    for (int leaf = 0; leaf < LEAVES; leaf++)
        if (put_others(self, PyTuple_GET_ITEM(paths, leaf), leaf)) return -1;
    return 0;
}

static void frames_dealloc(Frames *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->paths), Py_XDECREF(self->types), Py_XDECREF(self->header);
    Py_XDECREF(self->outgoing), Py_XDECREF(self->topic);
    Py_XDECREF(self->position_name), Py_XDECREF(self->log_time_name);
    drop_names(&self->names);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef frames_methods[] = {
    {"run", (PyCFunction)(void (*)(void))frames_run, METH_FASTCALL, "Take usual frames."}, {0}};
static PyType_Slot frames_slots[] = {{Py_tp_init, frames_init},
                                     {Py_tp_new, PyType_GenericNew},
                                     {Py_tp_dealloc, frames_dealloc},
                                     {Py_tp_methods, frames_methods},
                                     {0, NULL}};
static PyType_Spec frames_spec = {"schemas._usual.Frames", sizeof(Frames), 0, Py_TPFLAGS_DEFAULT, frames_slots};

/* ---- Records of interactions, and the hours that they belong to --------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    PyObject *alike; /* a set of headers */
    PyObject *handle, *wait, *counts; /* names of what an hour holds */
    Names names;
    int64_t hour, keep, end, farthest;
    double longest;
    unsigned char header[5]; /* one of `alike`, if `known` */
    int known;
} Hours;

typedef struct {
    Text campaign;
    double handle, wait;
    int64_t at, hour, raw, offset, log_time;
} Event;

static int is_alike(Hours *self, const char *data) {
    if (self->known && !memcmp(data, self->header, 5)) return 1;
    PyObject *header = PyBytes_FromStringAndSize(data, 5);
    if (header == NULL) return -1;
    int found = PySet_Contains(self->alike, header);
    Py_DECREF(header);
    if (found == 1) memcpy(self->header, data, 5), self->known = 1;
    return found;
}

/* Read a record. Returns 1, 0 if Python has to look, -1 with an exception. */
static int read_event(Hours *self, PyObject *value, Event *event) {
    if (!PyBytes_CheckExact(value) || PyBytes_GET_SIZE(value) <= 5) return 0;
    int alike = is_alike(self, PyBytes_AS_STRING(value));
    if (alike < 0) return -1;
    const unsigned char *p = (const unsigned char *)PyBytes_AS_STRING(value), *end = p + PyBytes_GET_SIZE(value);
    Text id;
    double durations[2];
    int64_t revision;
    p += 5;
    if (!alike || *p++ != 2) return 0;
    if ((p = read_text(p, end, &id)) == NULL || (p = read_text(p, end, &event->campaign)) == NULL || end - p < 16)
        return 0;
    memcpy(durations, p, 16);
    if ((p = read_long(p + 16, end, &event->at)) == NULL || (p = read_long(p, end, &revision)) != end || revision != 0)
        return 0;
    event->handle = durations[0], event->wait = durations[1];
    if (!(event->handle >= 0 && event->handle <= self->longest && event->wait >= 0 && event->wait <= self->longest &&
          event->at >= 0 && event->at < self->end))
        return 0;
    event->hour = event->at - event->at % self->hour;
    return is_utf8((const char *)id.at, id.size);
}

/* Read headers that are "raw partition:raw offset" and a log time, and nothing else. */
static int read_source(PyObject *headers, Event *event) {
    if (!is_headers(headers) || PySequence_Fast_GET_SIZE(headers) != 2) return 0;
    PyObject *position = header(headers, 0, SOURCE_POSITION), *log_time = header(headers, 1, LOG_TIME);
    if (position == NULL || log_time == NULL) return 0;
    const unsigned char *first = (const unsigned char *)PyBytes_AS_STRING(position), *p = first;
    if (!digits(&p, 5, &event->raw) || *p++ != ':' || !digits(&p, 18, &event->offset) ||
        p - first != PyBytes_GET_SIZE(position))
        return 0;
    p = first = (const unsigned char *)PyBytes_AS_STRING(log_time);
    return digits(&p, 15, &event->log_time) && p - first == PyBytes_GET_SIZE(log_time);
}

/* Whether an event is the next one of its raw partition, or the first; -1 with an exception. */
static int is_next(const Hours *self, PyObject *positions, PyObject *raw, int64_t offset) {
    PyObject *found = PyDict_GetItemWithError(positions, raw);
    if (found == NULL) return PyErr_Occurred() ? -1 : 1;
    int64_t highest = PyLong_AsLongLong(found);
    if (highest < 0) return PyErr_Occurred() ? -1 : 0;
    return offset > highest && offset - highest <= self->farthest;
}

/* Return {duration: how often} of an hour, NULL where it has none. */
static PyObject *counts_of(const Hours *self, PyObject *hour, PyObject *name) {
    PyObject *durations = PyObject_GetAttr(hour, name);
    PyObject *counts = durations == NULL ? NULL : PyObject_GetAttr(durations, self->counts);
    Py_XDECREF(durations);
    if (counts != NULL && !PyDict_CheckExact(counts)) {
        PyErr_SetString(PyExc_TypeError, "counts are a dict");
        Py_CLEAR(counts);
    }
    return counts;
}

static int count(PyObject *counts, double duration) {
    PyObject *key = PyFloat_FromDouble(duration);
    PyObject *known = key == NULL ? NULL : PyDict_GetItemWithError(counts, key);
    int64_t many = known == NULL ? 0 : PyLong_AsLongLong(known);
    PyObject *more = PyErr_Occurred() ? NULL : PyLong_FromLongLong(many + 1);
    int failed = more == NULL || PyDict_SetItem(counts, key, more);
    Py_XDECREF(key), Py_XDECREF(more);
    return failed ? -1 : 1;
}

static int add(const Hours *self, PyObject *hour, const Event *event) {
    PyObject *handle = counts_of(self, hour, self->handle), *wait = handle ? counts_of(self, hour, self->wait) : NULL;
    int added = wait == NULL || count(handle, event->handle) < 0 || count(wait, event->wait) < 0 ? -1 : 1;
    Py_XDECREF(handle), Py_XDECREF(wait);
    return added;
}

/* Add an event to its hour, if there is one. Returns 1, 0 if Python has to look, -1 with an exception. */
static int take_event(const Hours *self, const Event *event, PyObject *const *dicts) {
    PyObject *positions = dicts[0], *values = dicts[1], *changed = dicts[2];
    PyObject *raw = PyLong_FromLongLong(event->raw), *offset = PyLong_FromLongLong(event->offset);
    PyObject *campaign = PyUnicode_DecodeUTF8((const char *)event->campaign.at, event->campaign.size, "strict");
    PyObject *key = NULL, *hour = NULL;
    int taken = raw && offset ? 0 : -1;
    if (campaign == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) PyErr_Clear();
    else if (taken == 0 && (taken = is_next(self, positions, raw, event->offset)) == 1) {
        key = tuple_of(Py_XNewRef(campaign), PyLong_FromLongLong(event->hour));
        hour = key == NULL ? NULL : Py_XNewRef(PyDict_GetItemWithError(values, key));
        if (hour == NULL) taken = PyErr_Occurred() ? -1 : 0;
        else if ((taken = add(self, hour, event)) == 1 &&
                 (PyDict_SetItem(positions, raw, offset) || PyDict_SetItem(changed, key, hour)))
            taken = -1;
    }
    Py_XDECREF(raw), Py_XDECREF(offset), Py_XDECREF(campaign), Py_XDECREF(key), Py_XDECREF(hour);
    return taken;
}

static PyObject *hours_run(Hours *self, PyObject *const *args, Py_ssize_t many) {
    if (many != 5 || !PyDict_CheckExact(args[2]) || !PyDict_CheckExact(args[3]) || !PyDict_CheckExact(args[4]))
        return PyErr_SetString(PyExc_TypeError, "run takes five arguments, the last three dicts"), NULL;
    Py_ssize_t begin, place, end = records_of(args, &begin);
    if (end < 0) return NULL;
    int taken = 1;
    for (place = begin; taken > 0 && place < end && place < PySequence_Fast_GET_SIZE(args[0]); place += taken > 0) {
        Event event;
        PyObject *record = Py_NewRef(PySequence_Fast_GET_ITEM(args[0], place));
        PyObject *value = PyObject_GetAttr(record, self->names.value);
        PyObject *headers = value == NULL ? NULL : PyObject_GetAttr(record, self->names.headers);
        taken = headers == NULL ? -1 : read_event(self, value, &event);
        if (taken == 1) /* and not too late */
            taken = read_source(headers, &event) && event.hour + self->keep > event.log_time;
        if (taken == 1) taken = take_event(self, &event, args + 2);
        Py_DECREF(record), Py_XDECREF(value), Py_XDECREF(headers);
    }
    return taken < 0 ? NULL : PyLong_FromSsize_t(place - begin);
}

static int hours_init(Hours *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"alike", "hour", "keep", "longest", "end", "farthest", NULL};
    PyObject *alike;
    long long hour, keep, end, farthest;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!LLdLL", names, &PySet_Type, &alike, &hour, &keep, &self->longest,
                                     &end, &farthest))
        return -1;
    if (self->alike != NULL || hour < 1 || keep < 0 || keep > INT64_MAX / 2 || end > INT64_MAX / 2)
        return PyErr_SetString(PyExc_ValueError, "an hour, and times that can be added, once"), -1;
    self->hour = hour, self->keep = keep, self->end = end, self->farthest = farthest;
    self->alike = Py_NewRef(alike);
    self->handle = PyUnicode_InternFromString("handle"), self->wait = PyUnicode_InternFromString("wait");
    self->counts = PyUnicode_InternFromString("counts");
    return make_names(&self->names) || !self->handle || !self->wait || !self->counts ? -1 : 0;
}

static void hours_dealloc(Hours *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->alike), Py_XDECREF(self->handle), Py_XDECREF(self->wait), Py_XDECREF(self->counts);
    drop_names(&self->names);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef hours_methods[] = {
    {"run", (PyCFunction)(void (*)(void))hours_run, METH_FASTCALL, "Add usual records to hours."}, {0}};
static PyType_Slot hours_slots[] = {{Py_tp_init, hours_init},
                                    {Py_tp_new, PyType_GenericNew},
                                    {Py_tp_dealloc, hours_dealloc},
                                    {Py_tp_methods, hours_methods},
                                    {0, NULL}};
static PyType_Spec hours_spec = {"schemas._usual.Hours", sizeof(Hours), 0, Py_TPFLAGS_DEFAULT, hours_slots};

static int add_types(PyObject *module) {
    prepare();
    if (PyModule_AddIntConstant(module, "FORM", 2)) return -1; /* see schemas/compiled.py */
    PyType_Spec *specs[] = {&frames_spec, &hours_spec};
    for (int i = 0; i < 2; i++) {
        PyObject *type = PyType_FromSpec(specs[i]);
        if (type == NULL || PyModule_AddType(module, (PyTypeObject *)type)) return Py_XDECREF(type), -1;
        Py_DECREF(type);
    }
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, add_types}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "schemas._usual", .m_slots = slots};

PyMODINIT_FUNC PyInit__usual(void) { return PyModuleDef_Init(&definition); }
