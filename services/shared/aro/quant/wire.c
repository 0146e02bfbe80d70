/* Between messages and arrays: the columns of a chain out of msgpack, and into JSON, without an object per contract.
 * No header of Python is needed; wire.py loads the result with ctypes.
 *
 * Only what an ordinary message holds is handled here. For anything else both functions say so, and the caller takes
 * the way through msgspec, which knows every case and every error.
 */
#include <stdint.h>
#include <string.h>

#define REVISION 1 /* as in wire.py */
#define LEG_COLUMNS 9
#define MAX_STRIKES 2000 /* as in aro.contracts.market */
#define ALL_FLAGS 63

int32_t revision(void) { return REVISION; }

/* --- msgpack ------------------------------------------------------------------------------------------------------ */

typedef struct {
    const uint8_t *at, *end;
} Reader;

static uint64_t big_endian(const uint8_t *from, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | from[i];
    return value;
}

/* The length of an array, or -1. */
static int64_t array_length(Reader *reader) {
    if (reader->at >= reader->end) return -1;
    uint8_t head = *reader->at++;
    if ((head & 0xf0) == 0x90) return head & 0x0f;
    if (head != 0xdc || reader->end - reader->at < 2) return -1;
    reader->at += 2;
    return (int64_t)big_endian(reader->at - 2, 2);
}

/* A finite float64, a whole number as a float64, or nil as NaN; 0 for anything else. */
static int number(Reader *reader, double *value) {
    static const int8_t sizes[] = {1, 2, 4, 8};
    if (reader->at >= reader->end) return 0;
    uint8_t head = *reader->at++;
    if (head == 0xcb) {
        if (reader->end - reader->at < 8) return 0;
        uint64_t bits = big_endian(reader->at, 8);
        reader->at += 8;
        memcpy(value, &bits, sizeof bits);
        return (bits >> 52 & 0x7ff) != 0x7ff;
    }
    if (head == 0xc0) {
        *value = __builtin_nan("");
        return 1;
    }
    if (head < 0x80) {
        *value = head;
        return 1;
    }
    if (head >= 0xe0) {
        *value = (int8_t)head;
        return 1;
    }
    if (head < 0xcc || head > 0xd3) return 0;
    int bytes = sizes[(head - 0xcc) & 3];
    if (reader->end - reader->at < bytes) return 0;
    uint64_t bits = big_endian(reader->at, bytes);
    reader->at += bytes;
    if (head < 0xd0) {
        *value = (double)bits;
    } else {
        int unused = 64 - 8 * bytes;
        *value = (double)((int64_t)(bits << unused) >> unused);
    }
    return 1;
}

static int name_is(Reader *reader, const char *name) {
    size_t length = strlen(name);
    if ((size_t)(reader->end - reader->at) < length + 1 || *reader->at != (0xa0 | length)) return 0;
    if (memcmp(reader->at + 1, name, length) != 0) return 0;
    reader->at += length + 1;
    return 1;
}

/* One side: its columns into rows of `size` numbers, its flags into bytes; 0 unless it is sound. */
static int side(Reader *reader, int64_t size, double *rows, uint8_t *flags) {
    static const char *const names[] = {"bid",        "ask",    "bid_size",      "ask_size",
                                        "ltp",        "prev_close", "volume", "open_interest",
                                        "open_interest_change"};
    /* The least value that is allowed: prices are above 0, counts are not below. */
    static const int least[] = {1, 1, 0, 0, 1, 1, 0, 0, -1};
    if (reader->at >= reader->end || *reader->at++ != (0x80 | (LEG_COLUMNS + 1))) return 0;
    for (int column = 0; column < LEG_COLUMNS; column++) {
        double *row = rows + column * size;
        if (!name_is(reader, names[column]) || array_length(reader) != size) return 0;
        int bad = 0;
        for (int64_t i = 0; i < size; i++) {
            if (!number(reader, row + i)) return 0;
            bad |= (least[column] == 1 && row[i] <= 0.0) || (least[column] == 0 && row[i] < 0.0);
        }
        if (bad) return 0;
    }
    for (int64_t i = 0; i < size; i++)
        if (rows[i] > rows[size + i]) return 0; /* crossed */
    if (!name_is(reader, "flags") || array_length(reader) != size) return 0;
    if (reader->end - reader->at < size) return 0;
    for (int64_t i = 0; i < size; i++) {
        if (reader->at[i] > ALL_FLAGS) return 0;
        flags[i] = reader->at[i];
    }
    reader->at += size;
    return reader->at == reader->end;
}

/* How many strikes the msgpack array has, or -1 if that is not 1 to MAX_STRIKES. */
int64_t strikes_of(int64_t length, const uint8_t *data) {
    Reader reader = {data, data + length};
    int64_t size = array_length(&reader);
    return size >= 1 && size <= MAX_STRIKES ? size : -1;
}

/* Strikes, then the columns of calls and of puts, each a row of `size` numbers; flags of calls, then of puts. 1 if the
 * chain is sound by every rule of columns.py, 0 if it is not or is written in a way that msgspec does not write. */
int32_t read_chain(int64_t size, int64_t strikes_length, const uint8_t *strikes, int64_t calls_length,
                   const uint8_t *calls, int64_t puts_length, const uint8_t *puts, double *rows, uint8_t *flags) {
    Reader of_strikes = {strikes, strikes + strikes_length};
    if (array_length(&of_strikes) != size) return 0;
    double last = 0.0;
    for (int64_t i = 0; i < size; i++) {
        if (!number(&of_strikes, rows + i) || !(rows[i] > last)) return 0;
        last = rows[i];
    }
    if (of_strikes.at != of_strikes.end) return 0;
    Reader of_calls = {calls, calls + calls_length}, of_puts = {puts, puts + puts_length};
    return side(&of_calls, size, rows + size, flags) &&
           side(&of_puts, size, rows + (1 + LEG_COLUMNS) * size, flags + size);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

enum { AS_IT_CAME = -1, WORDS = -2 };

typedef struct {
    const char *text;
    int64_t length;
} Word;

/* Text that goes before the first entry, then entry after entry of a flat column. */
typedef struct {
    Word before;
    const void *values; /* double, or uint8_t where `decimals` is WORDS */
    const Word *words;
    int64_t decimals; /* digits to round to, AS_IT_CAME or WORDS */
} Column;

static const char PAIRS[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/* Digits of a number below 10^15, without leading zeros; the end of them. */
static char *digits(char *out, uint64_t value) {
    char buffer[20], *at = buffer + sizeof buffer;
    while (value >= 100) {
        at -= 2;
        memcpy(at, PAIRS + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        at -= 2;
        memcpy(at, PAIRS + 2 * value, 2);
    } else {
        *--at = (char)('0' + value);
    }
    size_t length = (size_t)(buffer + sizeof buffer - at);
    memcpy(out, at, length);
    return out + length;
}

/* whole / 10^decimals the way shortest printers write that double: the number has at most 15 digits, so these are they.
 * As msgspec has it, what is below 1e-5 is written with an exponent. */
static inline __attribute__((always_inline)) char *fraction(char *out, uint64_t whole, int decimals, uint64_t scale) {
    uint64_t above = whole / scale, below = whole % scale;
    if (above == 0 && below != 0 && decimals > 5 && below * 100000 < scale) {
        int exponent = decimals;
        while (below % 10 == 0) below /= 10, exponent--;
        char text[20];
        int length = (int)(digits(text, below) - text);
        *out++ = text[0];
        if (length > 1) {
            *out++ = '.';
            memcpy(out, text + 1, (size_t)(length - 1));
            out += length - 1;
        }
        *out++ = 'e';
        *out++ = '-';
        return digits(out, (uint64_t)(exponent - length + 1));
    }
    out = digits(out, above);
    *out++ = '.';
    char *first = out;
    for (int i = decimals - 1; i >= 0; i--) first[i] = (char)('0' + below % 10), below /= 10;
    out += decimals;
    while (out > first + 1 && out[-1] == '0') out--;
    if (decimals == 0) *out++ = '0';
    return out;
}

/* The entry rounded to `decimals` as numpy rounds; NULL if it has more than 15 digits. */
static inline __attribute__((always_inline)) char *rounded(char *out, double value, int decimals, uint64_t scale) {
    double whole = __builtin_rint(value * (double)scale), size = __builtin_fabs(whole);
    if (!(size < 1e15)) return NULL;
    if (__builtin_signbit(whole)) *out++ = '-';
    return fraction(out, (uint64_t)size, decimals, scale);
}

static char *as_it_came(char *out, double value) {
    if (__builtin_rint(value) == value) return rounded(out, value, 0, 1);
    if (!(__builtin_fabs(value) < 1e9)) return NULL;
    /* A quotient is the double nearest to the decimal, so if it is the value, the decimal is how that is written. */
    if (__builtin_rint(value * 1e2) / 1e2 == value) return rounded(out, value, 2, 100);
    if (__builtin_rint(value * 1e4) / 1e4 == value) return rounded(out, value, 4, 10000);
    if (__builtin_rint(value * 1e6) / 1e6 == value) return rounded(out, value, 6, 1000000);
    return NULL;
}

#define NUMBERS(name, write)                                                                                          \
    static char *name(char *out, const double *values, int64_t size) {                                                \
        for (int64_t i = 0; i < size; i++) {                                                                          \
            if (__builtin_isfinite(values[i])) {                                                                      \
                out = write;                                                                                          \
                if (!out) return NULL;                                                                                \
            } else {                                                                                                  \
                memcpy(out, "null", 4);                                                                               \
                out += 4;                                                                                             \
            }                                                                                                         \
            *out++ = ',';                                                                                             \
        }                                                                                                             \
        return out;                                                                                                   \
    }

NUMBERS(came, as_it_came(out, values[i]))
NUMBERS(to_4, rounded(out, values[i], 4, 10000))
NUMBERS(to_6, rounded(out, values[i], 6, 1000000))
NUMBERS(to_9, rounded(out, values[i], 9, 1000000000))

static char *words(char *out, const uint8_t *codes, const Word *words, int64_t size) {
    for (int64_t i = 0; i < size; i++) {
        const Word *word = words + codes[i];
        memcpy(out, word->text, (size_t)word->length);
        out += word->length;
        *out++ = ',';
    }
    return out;
}

/* Entries `start` to `stop` of one column, with a comma after each; NULL if one cannot be written here. */
static char *entries(char *out, const Column *column, int64_t start, int64_t stop) {
    const double *values = (const double *)column->values + start;
    switch (column->decimals) {
    case WORDS: return words(out, (const uint8_t *)column->values + start, column->words, stop - start);
    case AS_IT_CAME: return came(out, values, stop - start);
    case 4: return to_4(out, values, stop - start);
    case 6: return to_6(out, values, stop - start);
    case 9: return to_9(out, values, stop - start);
    default: return NULL;
    }
}

/* The columns of each chain as JSON text, one after the other in `out`, which has room for the longest; chain i owns
 * entries offsets[i] to offsets[i + 1], of which there is at least one. ends[i] is where its text ends; where it
 * cannot be written it has none and written[i] is 0. */
void write_chains(int64_t chains, const int64_t *offsets, int64_t columns, const Column *column, const Word *after,
                  char *out, int64_t *ends, uint8_t *written) {
    char *at = out;
    for (int64_t chain = 0; chain < chains; chain++) {
        char *start = at;
        for (int64_t i = 0; at && i < columns; i++) {
            memcpy(at, column[i].before.text, (size_t)column[i].before.length);
            at = entries(at + column[i].before.length, column + i, offsets[chain], offsets[chain + 1]);
            if (at) at--; /* the last comma */
        }
        written[chain] = at != NULL;
        if (at) {
            memcpy(at, after->text, (size_t)after->length);
            at += after->length;
        } else {
            at = start;
        }
        ends[chain] = at - out;
    }
}
