/* Net gamma of whole chains at many spots: exposure.py, _summed. Both sides of a chain are summed in chunks of strikes,
 * each sum in eight partial sums, and in the same order, so that equal sides cancel exactly.
 *
 * Chains with a contract that no market quotes are marked HARD, and the caller sums them with numpy.
 */
#include "vectors.h"

#define NODES 33 /* as in exposure.py */
#define CHUNK 128 /* strikes */

enum { OK, HARD = -1 };

static const double ORDINARY = 1e60; /* forward, strike and open interest lie below, the first two above its inverse */
static const double LEAST_S = 1e-10, GREATEST_S = 1e3; /* of σ√T */
static const double INV_SQRT_2_PI = 0.3989422804014327;

#define EACH for (int i = 0; i < n; i++)
typedef double Lane[CHUNK];

INLINE int ordinary(double x) { return (x >= 1.0 / ORDINARY) & (x <= ORDINARY); }

/* e^x for x <= 0, down to where float64 ends: `exponential` ends at e^-700. */
INLINE double decay(double x) {
    int far = x < -600.0;
    return exponential(far ? x + 400.0 : x) * (far ? 1.9151695967140057e-174 : 1.0); /* e^-400 */
}

/* Adds one side of a chunk to `totals`, (NODES, LANES); n is whole vectors, and what pads has no open interest. Returns
 * whether all of it is ordinary. */
INLINE int add_side(int n, const double *log_moneyness, const double *known, const double *iv, const double *interest,
                    double root_t, const double *shifts, double *totals) {
    _Alignas(64) Lane d1, scale, inverse, bad;
    EACH {
        double s = iv[i] * root_t;
        int use = (iv[i] > 0.0) & (interest[i] > 0.0) & is_finite(interest[i]);
        int sound = (s >= LEAST_S) & (s <= GREATEST_S) & (interest[i] <= ORDINARY) & (known[i] != 0.0);
        s = use & sound ? s : 1.0;
        bad[i] = use & !sound ? 1.0 : 0.0;
        inverse[i] = 1.0 / s;
        d1[i] = use & sound ? log_moneyness[i] / s + 0.5 * s : 0.0;
        scale[i] = use & sound ? interest[i] * (INV_SQRT_2_PI / s) : 0.0;
    }
    for (int node = 0; node < NODES; node++) {
        double *lanes = totals + node * LANES, shift = shifts[node];
        for (int i = 0; i < n; i += LANES)
            for (int j = 0; j < LANES; j++) {
                double moved = d1[i + j] + shift * inverse[i + j];
                lanes[j] += scale[i + j] * decay(-0.5 * moved * moved);
            }
    }
    double any = 0.0;
    EACH any += bad[i];
    return any == 0.0;
}

/* Chain i owns offsets[i] to offsets[i + 1] of the flat columns; `signs` are those of calls and puts, `shifts` the
 * logarithms of the nodes, `totals` (NODES, chains). Returns how many chains are marked HARD. */
INLINE int64_t sum_chains(int64_t chains, const int64_t *offsets, const double *strikes, const double *call_iv,
                          const double *put_iv, const double *call_interest, const double *put_interest,
                          const double *forward, const double *years, const double *signs, const double *shifts,
                          double *totals, int8_t *status) {
    const double *const ivs[] = {call_iv, put_iv}, *const interests[] = {call_interest, put_interest};
    _Alignas(64) Lane log_moneyness, known, iv, interest;
    _Alignas(64) double sums[2][NODES * LANES];
    int64_t hard = 0;
    for (int64_t chain = 0; chain < chains; chain++) {
        double F = forward[chain], root_t = root(years[chain]);
        int sound = 1;
        memset(sums, 0, sizeof sums);
        /* Without a finite forward nothing of the chain counts. */
        int64_t end = is_finite(F) ? offsets[chain + 1] : offsets[chain];
        for (int64_t at = offsets[chain]; at < end; at += CHUNK) {
            int real = end - at < CHUNK ? (int)(end - at) : CHUNK, n = (real + LANES - 1) / LANES * LANES;
            memcpy(log_moneyness, strikes + at, real * sizeof(double));
            for (int i = real; i < n; i++) log_moneyness[i] = 1.0;
            EACH {
                int ok = ordinary(F) & ordinary(log_moneyness[i]);
                log_moneyness[i] = logarithm(ok ? F / log_moneyness[i] : 1.0);
                known[i] = ok ? 1.0 : 0.0;
            }
            for (int side = 0; side < 2; side++) {
                memcpy(iv, ivs[side] + at, real * sizeof(double));
                memcpy(interest, interests[side] + at, real * sizeof(double));
                for (int i = real; i < n; i++) iv[i] = interest[i] = 0.0;
                sound &= add_side(n, log_moneyness, known, iv, interest, root_t, shifts, sums[side]);
            }
        }
        for (int node = 0; node < NODES; node++) {
            double total = 0.0;
            for (int side = 0; side < 2; side++) total += signs[side] * folded(sums[side] + node * LANES);
            totals[node * chains + chain] = total;
        }
        status[chain] = sound ? OK : HARD;
        hard += !sound;
    }
    return hard;
}

#define ENTRIES(level, attributes)                                                                                    \
    attributes int64_t totals_##level(int64_t chains, const int64_t *offsets, const double *strikes,                  \
                                      const double *call_iv, const double *put_iv, const double *call_interest,       \
                                      const double *put_interest, const double *forward, const double *years,         \
                                      const double *signs, const double *shifts, double *totals, int8_t *status) {    \
        return sum_chains(chains, offsets, strikes, call_iv, put_iv, call_interest, put_interest, forward, years,     \
                          signs, shifts, totals, status);                                                             \
    }

EACH_LEVEL(ENTRIES)
