/* SVI fits of many expiries: svi_fit.py, svi_curve.py and least_squares.py, one slice after the other. Points of a
 * slice lie in rows that stay in the first cache, padded to whole vectors with points of no weight; every sum keeps
 * eight partial sums, so that its order, and that its loop becomes vectors, is in the source.
 *
 * Slices that no market quotes are not fitted here but marked HARD, and the caller fits them with numpy: those of more
 * points than a row, or beyond all scales, and those where rounding would decide, because few points weigh anything, a
 * matrix is nearly singular, or two starts are equally good.
 */
#include "points.h"

#define PARAMETERS 5
#define COLUMNS (PARAMETERS + 1) /* derivatives by the parameters, and the error */
#define STARTS_M 4 /* as in svi_fit.py, as are the constants below unless they say otherwise */
#define STARTS_S 3
#define STARTS (STARTS_M * STARTS_S)

enum { LOWEST, PUT, CALL, MIDDLE, WIDTH }; /* free parameters, see svi_curve.py */

static const double START_M[STARTS_M] = {-1.5, -0.5, 0.3, 1.2}, START_S[STARTS_S] = {0.15, 0.5, 1.5};
static const double TOLERANCE = 1e-4, NEGLIGIBLE = 1e-10, PULL = 2e-4;
static const double LOWEST_FROM = -13.815510557964274, LOWEST_TO = 1.6094379124341003; /* ln 1e-6, ln 5 */
static const double WINGS = 14.0, WIDTH_FROM = -2.995732273553991, WIDTH_TO = 2.995732273553991; /* ln 20 */
static const double PRIOR[PARAMETERS] = {-0.2231435513142097, -0.6931471805599453, -0.6931471805599453, 0.0,
                                         -0.2231435513142097}; /* ln 0.8, ln 0.5 */
static const double SLOPE_LIMIT = 1.999, SHARE_LIMIT = 1e-9, LEAST_LOWEST = 1e-6; /* svi_curve.py */
static const double DAMPING_START = 1e-3, DAMPING_LIMIT = 1e9; /* least_squares.py, as are the next two */
static const double FLOOR = 1e-12, LEAST_FLOOR = 1e-300;
static const double RIDGE = 1e-9, LEAST_SLOPE = 1e-3, GREATEST_SLOPE = 0.9; /* of a cold start */
static const double LEAST_YEARS = 1e-9; /* own, as are the next four; a thirtieth of a second */
static const double LIGHT = 1e-4; /* of the heaviest: five points have to weigh as much, or the prior alone decides */
static const double FARTHEST_Z = 1e4;
static const double SINGULAR = 1e-13; /* of the diagonal: a pivot with no digit left */
static const double TIE = 1e-10;      /* of the cost of a start; what lies within it is equally good */

/* The scaled points of a slice, and the steepest slope dv/dz allowed. */
typedef struct {
    int n; /* padded */
    double theta, limit, first, last;
    _Alignas(64) Row z, root_v, weight;
} Points;

/* Of a least-squares problem at one place: the sum of squares, half its gradient, and JᵀJ. */
typedef struct {
    double cost, gradient[PARAMETERS], hessian[PARAMETERS][PARAMETERS];
} Normal;

/* As numpy's clip: NaN passes. */
INLINE double clip(double x, double low, double high) { return x < low ? low : x > high ? high : x; }
/* ln x for any x: NaN where numpy has no finite one, and -700 for x that are subnormal or nearly so. */
INLINE double any_logarithm(double x) {
    double normal = x < 1e-300 ? -700.0 : logarithm(x);
    return (x > 0.0) & is_finite(x) ? normal : __builtin_nan("");
}

/* svi_fit.scaled and its box; false if the slice is HARD. */
INLINE int scale(int count, double years, Points *to) {
    double nearest = __builtin_inf(), at_the_money = 1.0, heaviest = 0.0, whole = 0.0, first = nearest, last = -nearest;
    int counting = 0;
    for (int i = 0; i < count; i++) {
        at_the_money = absolute(to->z[i]) < nearest ? to->root_v[i] : at_the_money;
        nearest = least(absolute(to->z[i]), nearest);
        heaviest = most(to->weight[i], heaviest);
        first = least(to->z[i], first);
        last = most(to->z[i], last);
    }
    to->theta = at_the_money * at_the_money * years;
    double scale = root(to->theta);
    to->limit = SLOPE_LIMIT / scale;
    to->first = first / scale;
    to->last = last / scale;
    for (int i = 0; i < to->n; i++) {
        to->z[i] = to->z[i] / scale;
        to->root_v[i] = i < count ? to->root_v[i] / at_the_money : 1.0;
        to->weight[i] = to->weight[i] / heaviest;
    }
    for (int i = 0; i < count; i++) {
        whole += to->weight[i];
        counting += to->weight[i] >= LIGHT;
    }
    for (int i = 0; i < to->n; i++) to->weight[i] = root(to->weight[i] / whole);
    int near = (absolute(to->first) <= FARTHEST_Z) & (absolute(to->last) <= FARTHEST_Z);
    return (counting >= PARAMETERS) & (years >= LEAST_YEARS) & near;
}

/* x of A·x = b for a symmetric positive A, of which the lower triangle is read and overwritten (LDLᵀ); false where a
 * pivot is lost in rounding. */
INLINE int solve(int p, double *A, const double *b, double *x) {
    int sound = 1;
    double inverse[PARAMETERS];
    for (int j = 0; j < p; j++) {
        double pivot = A[j * p + j];
        for (int m = 0; m < j; m++) pivot -= A[j * p + m] * A[j * p + m] * A[m * p + m];
        sound &= pivot > SINGULAR * A[j * p + j];
        inverse[j] = 1.0 / pivot;
        for (int i = j + 1; i < p; i++) {
            double below = A[i * p + j];
            for (int m = 0; m < j; m++) below -= A[i * p + m] * A[j * p + m] * A[m * p + m];
            A[i * p + j] = below * inverse[j];
        }
        A[j * p + j] = pivot;
    }
    for (int i = 0; i < p; i++) {
        x[i] = b[i];
        for (int m = 0; m < i; m++) x[i] -= A[i * p + m] * x[m];
    }
    for (int i = p; i-- > 0;) {
        x[i] *= inverse[i];
        for (int m = i + 1; m < p; m++) x[i] -= A[m * p + i] * x[m];
    }
    return sound;
}

/* svi_fit.residuals at u, as sums over the points. */
INLINE void normal_equations(const Points *at, const double *u, Normal *sums) {
    _Alignas(64) Row columns[COLUMNS];
    double e[LANES] = {u[LOWEST], -u[PUT], -u[CALL], u[WIDTH]};
    for (int j = 0; j < LANES; j++) e[j] = exponential(e[j]);
    double lowest = e[0], P = at->limit / (1.0 + e[1]), C = at->limit / (1.0 + e[2]), m = u[MIDDLE], s = e[3];
    double half_sum = 0.5 * (C + P), half_difference = 0.5 * (C - P), lift = root(P * C), base = lowest - lift * s;
    double by_p = 0.5 * P * (1.0 - P / at->limit), by_c = 0.5 * C * (1.0 - C / at->limit);
    double p_width = s * (C / lift), c_width = s * (P / lift);
    int n = at->n;
    EACH {
        double y = at->z[i] - m, r = root(y * y + s * s), inverse = 1.0 / r;
        double sigma = root(base + half_difference * y + half_sum * r), by_v = 0.5 * at->weight[i] / sigma;
        columns[LOWEST][i] = by_v * lowest;
        columns[PUT][i] = by_v * (by_p * (r - y - p_width));
        columns[CALL][i] = by_v * (by_c * (r + y - c_width));
        columns[MIDDLE][i] = -by_v * (half_difference + half_sum * (y * inverse));
        columns[WIDTH][i] = by_v * (s * (half_sum * (s * inverse) - lift));
        columns[PARAMETERS][i] = at->weight[i] * (sigma - at->root_v[i]);
    }
    for (int a = 0; a < PARAMETERS; a++) {
        for (int b = 0; b <= a; b++) sums->hessian[a][b] = dot(n, columns[a], columns[b]);
        sums->gradient[a] = dot(n, columns[a], columns[PARAMETERS]);
    }
    sums->cost = dot(n, columns[PARAMETERS], columns[PARAMETERS]);
    double log_limit = logarithm(at->limit);
    for (int a = 0; a < PARAMETERS; a++) {
        double off = PULL * (u[a] - PRIOR[a] + ((a == PUT) | (a == CALL) ? log_limit : 0.0));
        sums->hessian[a][a] += PULL * PULL;
        sums->gradient[a] += PULL * off;
        sums->cost += off * off;
    }
    sums->cost = is_finite(sums->cost) ? sums->cost : __builtin_inf();
}

/* least_squares.minimise of one problem from u; false if it is HARD. */
INLINE int minimise(const Points *at, double *u, int64_t steps) {
    double span = at->last - at->first;
    const double low[PARAMETERS] = {LOWEST_FROM, -WINGS, -WINGS, at->first - span, WIDTH_FROM};
    const double high[PARAMETERS] = {LOWEST_TO, WINGS, WINGS, at->last + span, WIDTH_TO};
    Normal here, there;
    double damping = DAMPING_START, raising = 2.0;
    for (int a = 0; a < PARAMETERS; a++) u[a] = clip(u[a], low[a], high[a]);
    normal_equations(at, u, &here);
    int sound = is_finite(here.cost);
    for (int64_t taken = 0; sound && taken < steps; taken++) {
        double matrix[PARAMETERS][PARAMETERS], added[PARAMETERS], step[PARAMETERS], tried[PARAMETERS];
        double steepest = 0.0, promised = 0.0;
        memcpy(matrix, here.hessian, sizeof matrix);
        for (int a = 0; a < PARAMETERS; a++) steepest = most(matrix[a][a], steepest);
        double floor = FLOOR * steepest + LEAST_FLOOR;
        for (int a = 0; a < PARAMETERS; a++) {
            added[a] = damping * most(matrix[a][a], floor) + floor;
            matrix[a][a] += added[a];
        }
        sound = solve(PARAMETERS, matrix[0], here.gradient, step);
        for (int a = 0; a < PARAMETERS; a++) {
            promised += step[a] * (here.gradient[a] + added[a] * step[a]);
            tried[a] = clip(u[a] - step[a], low[a], high[a]);
        }
        normal_equations(at, tried, &there);
        int better = there.cost < here.cost;
        double gained = here.cost - there.cost, kept = 2.0 * gained / promised - 1.0;
        double settled = TOLERANCE * here.cost + NEGLIGIBLE;
        damping *= better ? clip(1.0 - kept * kept * kept, 0.1, 2.0) : raising;
        raising = better ? 2.0 : 2.0 * raising;
        if (better) {
            memcpy(u, tried, sizeof tried);
            here = there;
        }
        if ((absolute(gained) <= settled) | (damping > DAMPING_LIMIT)) break;
    }
    return sound;
}

INLINE double logit(double slope, double limit) {
    double share = clip(slope / limit, SHARE_LIMIT, 1.0 - SHARE_LIMIT);
    return any_logarithm(share / (1.0 - share));
}

/* svi_curve.to_free(from_raw()) of parameters `stride` apart; false if any is not finite. */
INLINE int warm(const Points *at, const double *svi, int64_t stride, double *u) {
    double a = svi[0], b = svi[stride], rho = svi[2 * stride], m = svi[3 * stride], sigma = svi[4 * stride];
    double scale = root(at->theta), rest = 1.0 - rho * rho;
    double lowest = (a + b * sigma * root(rest < 0.0 ? 0.0 : rest)) / at->theta;
    u[LOWEST] = any_logarithm(lowest < LEAST_LOWEST ? LEAST_LOWEST : lowest);
    u[PUT] = logit(b * (1.0 - rho) / scale, at->limit);
    u[CALL] = logit(b * (1.0 + rho) / scale, at->limit);
    u[MIDDLE] = m / scale;
    u[WIDTH] = any_logarithm(sigma / scale);
    int known = 1;
    for (int i = 0; i < PARAMETERS; i++) known &= is_finite(u[i]);
    return known;
}

/* What the cold starts have in common: v, the weights of its errors, and their sums. */
typedef struct {
    _Alignas(64) Row v, square, square_v;
    double whole, whole_v;
} Levels;

/* One of the starts with its best wings and level: u, and its cost. False if it is HARD. */
INLINE int start(const Points *at, const Levels *levels, double m, double s, double *u, double *cost) {
    _Alignas(64) Row y, r, by_y, by_r;
    int n = at->n;
    EACH {
        y[i] = at->z[i] - m;
        r[i] = root(y[i] * y[i] + s * s);
        by_y[i] = levels->square[i] * y[i];
        by_r[i] = levels->square[i] * r[i];
    }
    double x[3], sum_y = dot(n, levels->square, y), sum_r = dot(n, levels->square, r);
    double matrix[3][3] = {{levels->whole + RIDGE, 0.0, 0.0},
                           {sum_y, dot(n, by_y, y) + RIDGE, 0.0},
                           {sum_r, dot(n, by_r, y), dot(n, by_r, r) + RIDGE}};
    const double side[3] = {levels->whole_v, dot(n, levels->square_v, y), dot(n, levels->square_v, r)};
    int sound = solve(3, matrix[0], side, x);
    double top = GREATEST_SLOPE * at->limit;
    double P = clip(x[2] - x[1], LEAST_SLOPE, top), C = clip(x[2] + x[1], LEAST_SLOPE, top);
    double half_difference = 0.5 * (C - P), half_sum = 0.5 * (C + P), lift = root(P * C) * s;
    double base = (levels->whole_v - half_difference * sum_y - half_sum * sum_r) / levels->whole;
    double lowest = most(base + lift, LEAST_SLOPE);
    base = lowest - lift;
    EACH {
        double off = base + half_difference * y[i] + half_sum * r[i] - levels->v[i];
        by_y[i] = off;
        by_r[i] = levels->square[i] * off;
    }
    *cost = dot(n, by_y, by_r);
    u[LOWEST] = any_logarithm(lowest);
    u[PUT] = logit(P, at->limit);
    u[CALL] = logit(C, at->limit);
    u[MIDDLE] = m;
    u[WIDTH] = logarithm(s);
    return sound & is_finite(*cost);
}

/* The best of all starts; false if the slice is HARD. */
INLINE int cold(const Points *at, double *u) {
    Levels levels;
    int n = at->n, sound = 1;
    EACH {
        double weight = at->weight[i] / (2.0 * at->root_v[i]);
        levels.v[i] = at->root_v[i] * at->root_v[i];
        levels.square[i] = weight * weight;
        levels.square_v[i] = levels.square[i] * levels.v[i];
    }
    _Alignas(64) Row ones;
    EACH ones[i] = 1.0;
    levels.whole = dot(n, levels.square, ones);
    levels.whole_v = dot(n, levels.square_v, ones);
    double best = __builtin_inf(), second = best;
    for (int i = 0; i < STARTS; i++) {
        double tried[PARAMETERS], cost;
        sound &= start(at, &levels, START_M[i / STARTS_S], START_S[i % STARTS_S], tried, &cost);
        second = cost < best ? best : least(cost, second);
        if (cost < best) {
            best = cost;
            memcpy(u, tried, sizeof tried);
        }
    }
    return sound & (second - best > TIE * second);
}

/* svi_curve.to_raw(from_free()) to parameters `stride` apart. */
INLINE void write_raw(const Points *at, const double *u, double *svi, int64_t stride) {
    double P = at->limit / (1.0 + exponential(-u[PUT])), C = at->limit / (1.0 + exponential(-u[CALL]));
    double s = exponential(u[WIDTH]), scale = root(at->theta), both = P + C;
    svi[0] = at->theta * (exponential(u[LOWEST]) - root(P * C) * s);
    svi[stride] = 0.5 * both * scale;
    svi[2 * stride] = (C - P) / both;
    svi[3 * stride] = u[MIDDLE] * scale;
    svi[4 * stride] = s * scale;
}

/* Matrices are (slices, width), `start` and `svi` (5, slices) in the order of svi.Svi; `start` may be NULL. Slices of
 * fewer than five points that are usable get NaN. Returns how many slices are marked HARD. */
INLINE int64_t fit_slices(int64_t slices, int64_t width, const double *k, const double *iv, const double *weight,
                          const uint8_t *usable, const double *years, const double *start, int64_t steps, double *svi,
                          int8_t *status) {
    Points points;
    int64_t hard = 0;
    for (int64_t i = 0; i < slices; i++) {
        const uint8_t *there = usable + i * width;
        double u[PARAMETERS] = {0.0};
        int count = used(width, there), sound = count >= 0;
        for (int j = 0; j < PARAMETERS; j++) svi[j * slices + i] = __builtin_nan("");
        if (count >= PARAMETERS) {
            points.n = gather(count, k + i * width, there, points.z, 0.0);
            gather(count, iv + i * width, there, points.root_v, 1.0);
            gather(count, weight + i * width, there, points.weight, 0.0);
            sound = scale(count, years[i], &points);
            sound = sound && ((start && warm(&points, start + i, slices, u)) || cold(&points, u));
            sound = sound && minimise(&points, u, steps);
            if (sound) write_raw(&points, u, svi + i, slices);
        }
        status[i] = sound ? OK : HARD;
        hard += !sound;
    }
    return hard;
}

#define ENTRIES(level, attributes)                                                                                    \
    attributes int64_t fit_##level(int64_t slices, int64_t width, const double *k, const double *iv,                  \
                                   const double *weight, const uint8_t *usable, const double *years,                  \
                                   const double *start, int64_t steps, double *svi, int8_t *status) {                 \
        return fit_slices(slices, width, k, iv, weight, usable, years, start, steps, svi, status);                    \
    }

EACH_LEVEL(ENTRIES)
