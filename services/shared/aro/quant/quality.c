/* How well SVI curves meet the points of their slices, and their least Durrleman g: svi_fit.py, quality.
 *
 * Slices with a result that is not finite, or of more points than a row, are marked HARD, and the caller judges them
 * with numpy.
 */
#include "points.h"

#define G_POINTS 201 /* as in svi_fit.py */
#define RESULTS 5    /* per slice */

static const double G_REACH = 3.0; /* as in svi_fit.py */

INLINE double lowest(int n, const double *a) {
    double lanes[LANES], found = a[0];
    for (int j = 0; j < LANES; j++) lanes[j] = a[j];
    for (int i = LANES; i < n; i += LANES)
        for (int j = 0; j < LANES; j++) lanes[j] = least(a[i + j], lanes[j]);
    for (int j = 1; j < LANES; j++) found = least(lanes[j], found);
    return least(lanes[0], found);
}

/* The least of svi.durrleman over svi_fit.reach; not finite if g is so anywhere, or w not above zero everywhere. */
INLINE double least_g(double a, double b, double rho, double m, double sigma, double low, double high) {
    enum { n = (G_POINTS + LANES - 1) / LANES * LANES };
    _Alignas(64) double g[n], w[n];
    double reach = G_REACH * root(a + b * (root(m * m + sigma * sigma) - rho * m));
    double from = least(low, 0.0) - reach, length = most(high, 0.0) + reach - from;
    EACH {
        double k = from + length * ((i < G_POINTS ? i : G_POINTS - 1) * (1.0 / (G_POINTS - 1)));
        double y = k - m, r = root(y * y + sigma * sigma), inverse = 1.0 / r;
        w[i] = a + b * (rho * y + r);
        double reciprocal = 1.0 / w[i], slope = b * (rho + y * inverse), tilt = 1.0 - 0.5 * k * slope * reciprocal;
        double curvature = b * sigma * sigma * (inverse * inverse * inverse);
        g[i] = tilt * tilt - 0.25 * slope * slope * (reciprocal + 0.25) + 0.5 * curvature;
    }
    double least_w = lowest(n, w), least_g = lowest(n, g);
    EACH w[i] = 0.0 * g[i]; /* NaN where g is not finite */
    return least_w > 0.0 ? least_g + dot(n, w, w) : __builtin_nan("");
}

/* svi_fit.quality: `results` (5, slices) are rmse, greatest error, least g, lowest and highest k. HARD are slices with
 * a result that is not finite. */
INLINE int64_t judge_slices(int64_t slices, int64_t width, const double *k, const double *iv, const uint8_t *usable,
                            const double *years, const double *svi, double *results, int8_t *status) {
    _Alignas(64) Row at, error;
    int64_t hard = 0;
    for (int64_t slice = 0; slice < slices; slice++) {
        const uint8_t *there = usable + slice * width;
        const double a = svi[slice], b = svi[slices + slice], rho = svi[2 * slices + slice];
        const double m = svi[3 * slices + slice], sigma = svi[4 * slices + slice];
        int count = used(width, there), sound = 1;
        for (int j = 0; j < RESULTS; j++) results[j * slices + slice] = __builtin_nan("");
        if (is_finite(b)) {
            sound = count > 0;
            if (sound) {
                double low = __builtin_inf(), high = -low, greatest = 0.0;
                int n = gather(count, k + slice * width, there, at, 0.0);
                gather(count, iv + slice * width, there, error, 0.0);
                EACH {
                    double y = at[i] - m, w = a + b * (rho * y + root(y * y + sigma * sigma));
                    error[i] = i < count ? root(w / years[slice]) - error[i] : 0.0;
                }
                for (int i = 0; i < count; i++) {
                    low = least(at[i], low);
                    high = most(at[i], high);
                    greatest = most(absolute(error[i]), greatest);
                }
                const double found[RESULTS] = {root(dot(n, error, error) / count), greatest,
                                               least_g(a, b, rho, m, sigma, low, high), low, high};
                for (int j = 0; j < RESULTS; j++) {
                    results[j * slices + slice] = found[j];
                    sound &= is_finite(found[j]);
                }
            }
        }
        status[slice] = sound ? OK : HARD;
        hard += !sound;
    }
    return hard;
}

#define ENTRIES(level, attributes)                                                                                    \
    attributes int64_t judge_##level(int64_t slices, int64_t width, const double *k, const double *iv,                \
                                     const uint8_t *usable, const double *years, const double *svi, double *results,  \
                                     int8_t *status) {                                                                \
        return judge_slices(slices, width, k, iv, usable, years, svi, results, status);                               \
    }

EACH_LEVEL(ENTRIES)
