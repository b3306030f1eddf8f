/* The records of a batch of Kafka's (its message format 2), all at once: what happens to 100,000 of them a second.

   What is wrong with a batch, and what is unusual about it, is aiokafka's to say: the answer here is None then, and it
   is read there. What is answered here aiokafka would answer, too; tests hold both to that. So nothing here is needed.
   See record_batches.py.

   Nothing is read beyond the end of a record, which is not beyond that of its batch, whatever the lengths in it say. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

/* Where a batch has what, and how long that is before its records */
enum { MAGIC = 16, ATTRIBUTES = 21, FIRST_TIMESTAMP = 27, MAX_TIMESTAMP = 35, COUNT = 57, HEADER = 61 };
enum { COMPRESSED = 0x07, LOG_APPEND_TIME = 0x08, CONTROL = 0x20 }; /* of the attributes */
enum { LEAST_RECORD = 7, LEAST_HEADER = 2 }; /* bytes */

/* ---- What a record is -------------------------------------------------------------------------------------------- */

/* Bytes, texts, and tuples of these: no part of it can lead back to it, and the garbage collector need not know it. */
typedef struct {
    PyObject_HEAD
    PyObject *offset, *timestamp, *key, *value, *headers;
    unsigned char timestamp_type;
} Record;

static void record_dealloc(Record *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->offset), Py_XDECREF(self->timestamp);
    Py_XDECREF(self->key), Py_XDECREF(self->value), Py_XDECREF(self->headers);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef record_members[] = {{"offset", T_OBJECT_EX, offsetof(Record, offset), READONLY, NULL},
                                       {"timestamp", T_OBJECT_EX, offsetof(Record, timestamp), READONLY, NULL},
                                       {"timestamp_type", T_UBYTE, offsetof(Record, timestamp_type), READONLY, NULL},
                                       {"key", T_OBJECT_EX, offsetof(Record, key), READONLY, NULL},
                                       {"value", T_OBJECT_EX, offsetof(Record, value), READONLY, NULL},
                                       {"headers", T_OBJECT_EX, offsetof(Record, headers), READONLY, NULL},
                                       {NULL, 0, 0, 0, NULL}};
static PyType_Slot record_slots[] = {{Py_tp_dealloc, record_dealloc}, {Py_tp_members, record_members}, {0, NULL}};
static PyType_Spec record_spec = {"streams.runtime.driver._records.Record", sizeof(Record), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, record_slots};

/* ---- Numbers and bytes --------------------------------------------------------------------------------------------- */

typedef struct {
    const unsigned char *at, *end;
} Place;

typedef struct {
    const unsigned char *at;
    Py_ssize_t size; /* -1: null */
} Text;

static int64_t big_endian(const unsigned char *at, int bytes) {
    uint64_t found = at[0] < 0x80 ? 0 : UINT64_MAX;
    for (; bytes; bytes--) found = found << 8 | *at++;
    return (int64_t)found;
}

/* Read a number of seven bits a byte, the sign in the lowest bit. Returns 0 where it is none, or has 64 bits. */
static int varint(Place *place, int64_t *number) {
    uint64_t found = 0;
    for (int shift = 0; shift < 63; shift += 7) {
        if (place->at == place->end) return 0;
        unsigned char byte = *place->at++;
        found |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return *number = (int64_t)(found >> 1) ^ -(int64_t)(found & 1), 1;
    }
    return 0;
}

/* Read a length, and bytes of that length; one below zero says that there are none. */
static int text(Place *place, Text *found) {
    int64_t size;
    if (!varint(place, &size) || size > place->end - place->at) return 0;
    found->at = place->at, found->size = size < 0 ? -1 : (Py_ssize_t)size;
    if (size > 0) place->at += size;
    return 1;
}

static PyObject *bytes_or_none(Text text) {
    return text.size < 0 ? Py_NewRef(Py_None) : PyBytes_FromStringAndSize((const char *)text.at, text.size);
}

/* ---- Headers ------------------------------------------------------------------------------------------------------- */

static int is_named(PyObject *pair, Text name) {
    PyObject *its = PyTuple_GET_ITEM(pair, 0);
    return PyUnicode_IS_COMPACT_ASCII(its) && PyUnicode_GET_LENGTH(its) == name.size &&
           memcmp(PyUnicode_1BYTE_DATA(its), name.at, (size_t)name.size) == 0;
}

static int has_value(PyObject *pair, Text value) {
    PyObject *its = PyTuple_GET_ITEM(pair, 1);
    if (its == Py_None || value.size < 0) return its == Py_None && value.size < 0;
    return PyBytes_GET_SIZE(its) == value.size && memcmp(PyBytes_AS_STRING(its), value.at, (size_t)value.size) == 0;
}

/* Return a tuple of so many, for what has no tuple in it that is not done: there is nothing in it to be collected. */
static PyObject *tuple_of(Py_ssize_t many) {
    PyObject *made = PyTuple_New(many);
    if (made != NULL && many) PyObject_GC_UnTrack(made);
    return made;
}

/* Return (name, value); the name is that of `like`, if there is one and it is the same. */
static PyObject *pair_of(Text name, Text value, PyObject *like) {
    PyObject *pair = tuple_of(2);
    if (pair == NULL) return NULL;
    PyObject *its_name = like != NULL && is_named(like, name) ? Py_NewRef(PyTuple_GET_ITEM(like, 0))
                                                              : PyUnicode_DecodeUTF8((const char *)name.at, name.size, NULL);
    PyTuple_SET_ITEM(pair, 0, its_name);
    if (its_name != NULL) PyTuple_SET_ITEM(pair, 1, bytes_or_none(value));
    if (its_name == NULL || PyTuple_GET_ITEM(pair, 1) == NULL) return Py_DECREF(pair), NULL;
    return pair;
}

/* Return the headers from here on. Those of records beside each other are much the same: what is, is not made again.
   `before` are those of the record before, or NULL. Returns NULL without an error where there are none to be read. */
static PyObject *headers(Place *place, PyObject *before) {
    int64_t many;
    if (!varint(place, &many) || many < 0 || many > (place->end - place->at) / LEAST_HEADER) return NULL;
    Py_ssize_t known = before == NULL ? 0 : PyTuple_GET_SIZE(before);
    PyObject *made = NULL;
    if (before == NULL || known != many) {
        made = tuple_of((Py_ssize_t)many);
        if (made == NULL) return NULL;
    }
    for (Py_ssize_t i = 0; i < many; i++) {
        Text name, value;
        if (!text(place, &name) || name.size < 0 || !text(place, &value)) return Py_XDECREF(made), NULL;
        PyObject *like = i < known ? PyTuple_GET_ITEM(before, i) : NULL;
        int same = like != NULL && is_named(like, name) && has_value(like, value);
        if (same && made == NULL) continue;
        if (made == NULL) {
            made = tuple_of((Py_ssize_t)many);
            if (made == NULL) return NULL;
            for (Py_ssize_t j = 0; j < i; j++) PyTuple_SET_ITEM(made, j, Py_NewRef(PyTuple_GET_ITEM(before, j)));
        }
        PyObject *pair = same ? Py_NewRef(like) : pair_of(name, value, like);
        if (pair == NULL) return Py_DECREF(made), NULL;
        PyTuple_SET_ITEM(made, i, pair);
    }
    return made != NULL ? made : Py_NewRef(before);
}

/* ---- A batch --------------------------------------------------------------------------------------------------------- */

typedef struct {
    PyTypeObject *type;
    int64_t base_offset, first_timestamp, max_timestamp;
    int log_append_time;
} Batch;

/* Return a number as an object: that of `before`, which may be NULL, if it is the same. */
static PyObject *number(int64_t wanted, int64_t known, PyObject *before) {
    return before != NULL && wanted == known ? Py_NewRef(before) : PyLong_FromLongLong(wanted);
}

/* Return the record from here on, NULL without an error where it cannot be read. `before` as with headers; `at` is its
   timestamp, and then this one's. */
static Record *record(Place *place, const Batch *batch, const Record *before, int64_t *at) {
    int64_t length, delta, offset, timestamp;
    if (!varint(place, &length) || length < 0 || length > place->end - place->at) return NULL;
    Place in = {place->at, place->at + length};
    if (in.at == in.end || *in.at++ >= 0x80) return NULL; /* attributes, of which there are none yet */
    if (!varint(&in, &delta) || __builtin_add_overflow(batch->first_timestamp, delta, &timestamp)) return NULL;
    if (batch->log_append_time) timestamp = batch->max_timestamp;
    if (!varint(&in, &delta) || __builtin_add_overflow(batch->base_offset, delta, &offset)) return NULL;
    Text key, value;
    if (!text(&in, &key) || !text(&in, &value)) return NULL;
    PyObject *its_headers = headers(&in, before == NULL ? NULL : before->headers);
    if (its_headers == NULL) return NULL;
    if (in.at != in.end) return Py_DECREF(its_headers), NULL;
    Record *made = PyObject_New(Record, batch->type);
    if (made == NULL) return Py_DECREF(its_headers), NULL;
    made->headers = its_headers;
    made->timestamp_type = (unsigned char)batch->log_append_time;
    made->timestamp = number(timestamp, *at, before == NULL ? NULL : before->timestamp);
    made->offset = PyLong_FromLongLong(offset);
    made->key = bytes_or_none(key), made->value = bytes_or_none(value);
    if (made->timestamp == NULL || made->offset == NULL || made->key == NULL || made->value == NULL)
        return Py_DECREF(made), NULL;
    *at = timestamp, place->at = in.end;
    return made;
}

/* Return all records from here to the end as a list, NULL without an error where they cannot be read. */
static PyObject *records_of(Place place, const Batch *batch, int64_t many) {
    if (many < 0 || many > (place.end - place.at) / LEAST_RECORD) return NULL;
    PyObject *found = PyList_New((Py_ssize_t)many);
    if (found == NULL) return NULL;
    Record *before = NULL;
    int64_t at = 0;
    for (Py_ssize_t i = 0; i < many; i++) {
        before = record(&place, batch, before, &at);
        if (before == NULL) return Py_DECREF(found), NULL;
        PyList_SET_ITEM(found, i, (PyObject *)before);
    }
    if (place.at != place.end) return Py_DECREF(found), NULL;
    return found;
}

/* The batch, and its records uncompressed, or None where they are not compressed -> a list of records, or None. */
static PyObject *records(PyObject *module, PyObject *const *arguments, Py_ssize_t many) {
    if (many != 2) return PyErr_SetString(PyExc_TypeError, "a batch, and its records or None"), NULL;
    Py_buffer whole, body = {0};
    if (PyObject_GetBuffer(arguments[0], &whole, PyBUF_SIMPLE)) return NULL;
    int apart = arguments[1] != Py_None;
    if (apart && PyObject_GetBuffer(arguments[1], &body, PyBUF_SIMPLE)) return PyBuffer_Release(&whole), NULL;
    const unsigned char *at = whole.buf;
    PyObject *found = NULL;
    if (whole.len >= HEADER && at[MAGIC] == 2) {
        int64_t attributes = big_endian(at + ATTRIBUTES, 2);
        Batch batch = {*(PyTypeObject **)PyModule_GetState(module), big_endian(at, 8),
                       big_endian(at + FIRST_TIMESTAMP, 8), big_endian(at + MAX_TIMESTAMP, 8),
                       (attributes & LOG_APPEND_TIME) != 0};
        Place inside = {at + HEADER, at + whole.len};
        if (apart) inside = (Place){body.buf, (const unsigned char *)body.buf + body.len};
        if (!(attributes & CONTROL) && apart == ((attributes & COMPRESSED) != 0))
            found = records_of(inside, &batch, big_endian(at + COUNT, 4));
    }
    if (found == NULL && PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        PyErr_Clear(); /* a name that is no text */
    PyBuffer_Release(&whole);
    if (apart) PyBuffer_Release(&body);
    if (found == NULL && !PyErr_Occurred()) Py_RETURN_NONE;
    return found;
}

/* ---- The module -------------------------------------------------------------------------------------------------------- */

static int add_type(PyObject *module) {
    PyTypeObject **state = PyModule_GetState(module);
    if (PyModule_AddIntConstant(module, "FORM", 1)) return -1; /* see compiled.py */
    *state = (PyTypeObject *)PyType_FromSpec(&record_spec);
    return *state == NULL ? -1 : PyModule_AddType(module, *state);
}

static int traverse(PyObject *module, visitproc visit, void *arg) {
    PyTypeObject **state = PyModule_GetState(module);
    Py_VISIT(*state);
    return 0;
}

static int clear(PyObject *module) {
    PyTypeObject **state = PyModule_GetState(module);
    Py_CLEAR(*state);
    return 0;
}

static PyMethodDef functions[] = {{"records", (PyCFunction)(void (*)(void))records, METH_FASTCALL, "records(batch, body)"},
                                  {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{Py_mod_exec, add_type}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "streams.runtime.driver._records",
                                        .m_size = sizeof(PyTypeObject *), .m_methods = functions, .m_slots = slots,
                                        .m_traverse = traverse, .m_clear = clear};

PyMODINIT_FUNC PyInit__records(void) { return PyModuleDef_Init(&definition); }
