/* The usual interaction, read and written without Python's objects: what happens to each of 100,000 events a second.

   Everything here answers None where it meets what is not usual, and the modules in Python that do the same look again:
   they say why something is refused. What is answered here, they would answer, too; tests hold both to that. So
   nothing here is needed, and a reader of the rules need not read it. See schemas/compiled.py.

   A value of `bytes` ends with a zero byte that does not belong to it, as CPython promises: each loop stops there. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <stdint.h>
#include <string.h>

#if PY_BIG_ENDIAN || FLT_EVAL_METHOD != 0
#error "numbers are laid out, or rounded, otherwise than here: do without"
#endif

#define LONGEST_FRAME 65536 /* bytes */
#define LONGEST_ESCAPED 1024 /* bytes of a text that is wanted and has escapes */
#define DEEPEST 32
#define DIGITS 15 /* a number of so many lies in a double, and so does its power of ten: the quotient is rounded once */
#define LONGEST_SKIPPED 32 /* characters of a number that nobody reads */
#define MOST_NODES 64
#define LONGEST_SKEW 31556952000000 /* ms */

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
        for (int round = 0; round < 12; round++) {
            const unsigned char *s = SIGMA[round % 10];
            MIX(0, 4, 8, 12, m[s[0]], m[s[1]]), MIX(1, 5, 9, 13, m[s[2]], m[s[3]]);
            MIX(2, 6, 10, 14, m[s[4]], m[s[5]]), MIX(3, 7, 11, 15, m[s[6]], m[s[7]]);
            MIX(0, 5, 10, 15, m[s[8]], m[s[9]]), MIX(1, 6, 11, 12, m[s[10]], m[s[11]]);
            MIX(2, 7, 8, 13, m[s[12]], m[s[13]]), MIX(3, 4, 9, 14, m[s[14]], m[s[15]]);
        }
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

/* ---- Frames: where a tenant's dialect keeps what is wanted -------------------------------------------------------- */

enum { COMPLETED_AT, EVENT_ID, CAMPAIGN, HANDLE, WAIT, EVENT_TYPE, LEAVES };

typedef struct {
    Text key;
    int leaf; /* which one, -1 where objects go on */
    int child, sibling; /* nodes, 0 for none */
} Node;

typedef struct {
    PyObject_HEAD
    Node nodes[MOST_NODES]; /* the first is the frame */
    int many;
    PyObject *paths, *types, *header; /* keep what `nodes` and `read` point into */
    int64_t earliest, clock_skew, longest_text;
    double longest;
} Frames;

typedef struct {
    const Frames *frames;
    const unsigned char *at;
    Text texts[LEAVES];
    double numbers[LEAVES];
    uint64_t seen; /* nodes */
    unsigned char scratch[LEAVES][LONGEST_ESCAPED]; /* of texts with escapes */
    int high; /* whether a byte of a string is not ASCII */
} Scan;

static int find(const Frames *frames, int node, Text key) {
    for (int child = frames->nodes[node].child; child; child = frames->nodes[child].sibling)
        if (frames->nodes[child].key.size == key.size && !memcmp(frames->nodes[child].key.at, key.at, (size_t)key.size))
            return child;
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

/* Pass over a string. Returns 0 if it is none, 1 if it says what its bytes say, 2 if it has escapes. */
static int string(Scan *scan, Text *text) {
    if (*scan->at != '"') return 0;
    const unsigned char *p = ++scan->at;
    int kind = 1;
    for (;; p++) {
        while (!LOOK_AT[*p]) p++;
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
    for (;; scan->at++, space(scan)) {
        if (!skip(scan, depth)) return 0;
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
    int leaf = scan->frames->nodes[node].leaf;
    if (leaf < 0) return *scan->at == '{' && object(scan, node, depth + 1);
    if (leaf == HANDLE || leaf == WAIT) return amount(scan, &scan->numbers[leaf]);
    int kind = string(scan, &scan->texts[leaf]);
    return kind == 2 ? unescape(&scan->texts[leaf], scan->scratch[leaf]) : kind;
}

/* Pass over an object, and take what is wanted at `node`; -1 for nothing. */
static int object(Scan *scan, int node, int depth) {
    if (depth > DEEPEST) return 0;
    scan->at++, space(scan);
    if (*scan->at == '}') return scan->at++, 1;
    for (;; scan->at++, space(scan)) {
        Text key;
        if (string(scan, &key) != 1) return 0; /* with escapes, it may be one that is wanted */
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
    PyObject *text = PyUnicode_DecodeUTF8(data, size, "strict");
    if (text == NULL) return PyErr_Clear(), 0;
    Py_DECREF(text);
    return 1;
}

static PyObject *bytes_of(Text text) { return PyBytes_FromStringAndSize((const char *)text.at, text.size); }

static PyObject *frames_read(Frames *self, PyObject *const *args, Py_ssize_t many) {
    if (many != 2) return PyErr_SetString(PyExc_TypeError, "read(value, arrived)"), NULL;
    int64_t arrived = PyLong_AsLongLong(args[1]);
    if (arrived == -1 && PyErr_Occurred()) return NULL;
    if (!PyBytes_CheckExact(args[0]) || PyBytes_GET_SIZE(args[0]) > LONGEST_FRAME) Py_RETURN_NONE;
    const char *data = PyBytes_AS_STRING(args[0]);
    Py_ssize_t size = PyBytes_GET_SIZE(args[0]);
    Scan scan;
    scan.frames = self, scan.at = (const unsigned char *)data, scan.seen = 0, scan.high = 0;
    space(&scan);
    if (*scan.at != '{' || !object(&scan, 0, 1)) Py_RETURN_NONE;
    space(&scan);
    if ((const char *)scan.at != data + size || scan.seen != ((uint64_t)1 << (self->many - 1)) * 2 - 2) Py_RETURN_NONE;
    if (scan.high && !is_utf8(data, size)) Py_RETURN_NONE;
    Text id = scan.texts[EVENT_ID], campaign = scan.texts[CAMPAIGN];
    double handle = scan.numbers[HANDLE], wait = scan.numbers[WAIT];
    int64_t at = milliseconds(scan.texts[COMPLETED_AT]);
    if (at < self->earliest || at - self->clock_skew > arrived || handle > self->longest || wait > self->longest ||
        !fits(id, self->longest_text) || !fits(campaign, self->longest_text) ||
        !is_completed(self, scan.texts[EVENT_TYPE]))
        Py_RETURN_NONE;

    unsigned char *record = PyMem_Malloc((size_t)(PyBytes_GET_SIZE(self->header) + id.size + campaign.size + 64));
    if (record == NULL) return PyErr_NoMemory();
    unsigned char *p = record + PyBytes_GET_SIZE(self->header);
    memcpy(record, PyBytes_AS_STRING(self->header), (size_t)PyBytes_GET_SIZE(self->header));
    *p++ = 2; /* the branch of the union: there is an event id */
    p = write_text(write_text(p, id), campaign);
    memcpy(p, &handle, 8), memcpy(p + 8, &wait, 8);
    p = write_long(p + 16, at);
    *p++ = 0; /* revision */
    PyObject *encoded = PyBytes_FromStringAndSize((char *)record, p - record);
    PyMem_Free(record);
    uint64_t hash = blake2b(id);
    PyObject *found[] = {bytes_of(campaign), encoded, PyBytes_FromStringAndSize((char *)&hash, 8),
                         PyLong_FromLongLong(at)};
    PyObject *read = PyTuple_New(4);
    for (int i = 0; i < 4; i++) {
        if (read != NULL && found[i] != NULL) PyTuple_SET_ITEM(read, i, found[i]);
        else {
            for (; i < 4; i++) Py_XDECREF(found[i]);
            Py_CLEAR(read);
        }
    }
    return read;
}

/* Put a path into the tree. Returns -1, with ValueError, where two paths would need each other's place. */
static int put(Frames *frames, PyObject *path, int leaf) {
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
                (Node){.key = key, .leaf = last ? leaf : -1, .child = 0, .sibling = frames->nodes[node].child};
            frames->nodes[node].child = child;
        }
        node = child;
    }
    return 0;
wrong:
    PyErr_SetString(PyExc_ValueError, "paths that are not read here");
    return -1;
}

static int frames_init(Frames *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"paths", "types", "header", "earliest", "clock_skew", "longest", "longest_text", NULL};
    PyObject *paths, *types, *header;
    long long earliest, clock_skew, longest_text;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!SLLdL", names, &PyTuple_Type, &paths, &PyTuple_Type, &types,
                                     &header, &earliest, &clock_skew, &self->longest, &longest_text))
        return -1;
    if (self->paths != NULL || PyTuple_GET_SIZE(paths) != LEAVES || clock_skew < 0 || clock_skew > LONGEST_SKEW)
        return PyErr_SetString(PyExc_ValueError, "six paths, once, and a skew of up to a thousand years"), -1;
    self->earliest = earliest, self->clock_skew = clock_skew, self->longest_text = longest_text;
    self->paths = Py_NewRef(paths), self->types = Py_NewRef(types), self->header = Py_NewRef(header);
    self->nodes[0] = (Node){.leaf = -1};
    self->many = 1;
    for (int leaf = 0; leaf < LEAVES; leaf++)
        if (put(self, PyTuple_GET_ITEM(paths, leaf), leaf)) return -1;
    return 0;
}

static void frames_dealloc(Frames *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->paths), Py_XDECREF(self->types), Py_XDECREF(self->header);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef frames_methods[] = {
    {"read", (PyCFunction)(void (*)(void))frames_read, METH_FASTCALL, "read(value, arrived)"}, {0}};
static PyType_Slot frames_slots[] = {{Py_tp_init, frames_init},
                                     {Py_tp_new, PyType_GenericNew},
                                     {Py_tp_dealloc, frames_dealloc},
                                     {Py_tp_methods, frames_methods},
                                     {0, NULL}};
static PyType_Spec frames_spec = {"schemas._usual.Frames", sizeof(Frames), 0, Py_TPFLAGS_DEFAULT, frames_slots};

/* ---- Records of interactions, and the hours that they belong to --------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    PyObject *alike, *record; /* a set of headers, and what makes an `InteractionCompleted` */
    int64_t hour, end;
    double longest;
    unsigned char header[5]; /* one of `alike`, if `known` */
    int known;
} Hours;

static int is_alike(Hours *self, const char *data) {
    if (self->known && !memcmp(data, self->header, 5)) return 1;
    PyObject *header = PyBytes_FromStringAndSize(data, 5);
    if (header == NULL) return -1;
    int found = PySet_Contains(self->alike, header);
    Py_DECREF(header);
    if (found == 1) memcpy(self->header, data, 5), self->known = 1;
    return found;
}

static PyObject *text_of(Text text) {
    PyObject *found = PyUnicode_DecodeUTF8((const char *)text.at, text.size, "strict");
    if (found == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) PyErr_Clear();
    return found;
}

static PyObject *hours_read(Hours *self, PyObject *value) {
    if (!PyBytes_CheckExact(value) || PyBytes_GET_SIZE(value) <= 5) Py_RETURN_NONE;
    int alike = is_alike(self, PyBytes_AS_STRING(value));
    if (alike < 0) return NULL;
    const unsigned char *p = (const unsigned char *)PyBytes_AS_STRING(value), *end = p + PyBytes_GET_SIZE(value);
    Text id, campaign;
    double durations[2];
    int64_t at, revision;
    p += 5;
    if (!alike || *p++ != 2) Py_RETURN_NONE;
    if ((p = read_text(p, end, &id)) == NULL || (p = read_text(p, end, &campaign)) == NULL || end - p < 16)
        Py_RETURN_NONE;
    memcpy(durations, p, 16);
    if ((p = read_long(p + 16, end, &at)) == NULL || (p = read_long(p, end, &revision)) != end || revision != 0)
        Py_RETURN_NONE;
    if (!(durations[0] >= 0 && durations[0] <= self->longest && durations[1] >= 0 && durations[1] <= self->longest &&
          at >= 0 && at < self->end))
        Py_RETURN_NONE;
    PyObject *made[] = {text_of(id), text_of(campaign), PyFloat_FromDouble(durations[0]),
                        PyFloat_FromDouble(durations[1]), PyLong_FromLongLong(at), PyLong_FromLongLong(at - at % self->hour)};
    PyObject *key = NULL, *event = NULL, *read = NULL;
    if (made[0] && made[1] && made[2] && made[3] && made[4] && made[5]) {
        key = PyTuple_Pack(2, made[1], made[5]);
        event = PyObject_Vectorcall(self->record, made, 5, NULL);
        if (key != NULL && event != NULL) read = PyTuple_Pack(3, event, key, made[4]);
    }
    for (int i = 0; i < 6; i++) Py_XDECREF(made[i]);
    Py_XDECREF(key), Py_XDECREF(event);
    if (read == NULL && !PyErr_Occurred()) Py_RETURN_NONE; /* a text that is none */
    return read;
}

static int hours_init(Hours *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"alike", "record", "hour", "longest", "end", NULL};
    PyObject *alike, *record;
    long long hour, end;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!OLdL", names, &PySet_Type, &alike, &record, &hour, &self->longest,
                                     &end))
        return -1;
    if (self->alike != NULL || hour < 1) return PyErr_SetString(PyExc_ValueError, "an hour, once"), -1;
    self->hour = hour, self->end = end;
    self->alike = Py_NewRef(alike), self->record = Py_NewRef(record);
    return 0;
}

static void hours_dealloc(Hours *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->alike), Py_XDECREF(self->record);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef hours_methods[] = {{"read", (PyCFunction)hours_read, METH_O, "read(value)"}, {0}};
static PyType_Slot hours_slots[] = {{Py_tp_init, hours_init},
                                    {Py_tp_new, PyType_GenericNew},
                                    {Py_tp_dealloc, hours_dealloc},
                                    {Py_tp_methods, hours_methods},
                                    {0, NULL}};
static PyType_Spec hours_spec = {"schemas._usual.Hours", sizeof(Hours), 0, Py_TPFLAGS_DEFAULT, hours_slots};

/* ---- Headers ------------------------------------------------------------------------------------------------------ */

/* Return the value of the header at `index` if it has this name, else NULL. */
static const unsigned char *header(PyObject *headers, Py_ssize_t index, const char *name) {
    PyObject *pair = PySequence_Fast_GET_ITEM(headers, index);
    if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2) return NULL;
    PyObject *its_name = PyTuple_GET_ITEM(pair, 0), *value = PyTuple_GET_ITEM(pair, 1);
    if (!PyUnicode_CheckExact(its_name) || PyUnicode_CompareWithASCIIString(its_name, name) ||
        !PyBytes_CheckExact(value))
        return NULL;
    return (const unsigned char *)PyBytes_AS_STRING(value);
}

/* "raw partition:raw offset" and a log time, and nothing else -> these three numbers. */
static PyObject *source(PyObject *module, PyObject *headers) {
    (void)module;
    if ((!PyList_CheckExact(headers) && !PyTuple_CheckExact(headers)) || PySequence_Fast_GET_SIZE(headers) != 2)
        Py_RETURN_NONE;
    const unsigned char *position = header(headers, 0, "cxone-source-position");
    const unsigned char *log_time = header(headers, 1, "cxone-log-time");
    if (position == NULL || log_time == NULL) Py_RETURN_NONE;
    int64_t raw, offset, time;
    PyObject *first = PyTuple_GET_ITEM(PySequence_Fast_GET_ITEM(headers, 0), 1);
    PyObject *second = PyTuple_GET_ITEM(PySequence_Fast_GET_ITEM(headers, 1), 1);
    const unsigned char *p = position;
    if (!digits(&p, 10, &raw) || *p++ != ':' || !digits(&p, 18, &offset) || p - position != PyBytes_GET_SIZE(first))
        Py_RETURN_NONE;
    p = log_time;
    if (!digits(&p, 15, &time) || p - log_time != PyBytes_GET_SIZE(second)) Py_RETURN_NONE;
    return Py_BuildValue("LLL", (long long)raw, (long long)offset, (long long)time);
}

static PyMethodDef functions[] = {{"source", source, METH_O, "source(headers)"}, {0}};

static int add_types(PyObject *module) {
    prepare();
    PyType_Spec *specs[] = {&frames_spec, &hours_spec};
    for (int i = 0; i < 2; i++) {
        PyObject *type = PyType_FromSpec(specs[i]);
        if (type == NULL || PyModule_AddType(module, (PyTypeObject *)type)) return Py_XDECREF(type), -1;
        Py_DECREF(type);
    }
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, add_types}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "schemas._usual", .m_methods = functions,
                                        .m_slots = slots};

PyMODINIT_FUNC PyInit__usual(void) { return PyModuleDef_Init(&definition); }
