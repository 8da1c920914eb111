/* Quantities and fees as exact decimals: 128-bit integers in units of 1e-18. */
#ifndef IBWIRE_EXACT_H
#define IBWIRE_EXACT_H
#include <math.h>
#include <stdint.h>

typedef __int128 ibw_exact;

#define IBW_EXACT_NONE (((ibw_exact)1) << 126)
#define IBW_EXACT_MOST 1e18

static const double IBW_POWERS[19] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
                                      1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};

static const int64_t IBW_UNITS[19] = { /* of the last of so many digits after the point */
    1000000000000000000, 100000000000000000, 10000000000000000, 1000000000000000, 100000000000000, 10000000000000,
    1000000000000, 100000000000, 10000000000, 1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};

static inline ibw_exact ibw_exact_unit(int digits) { return IBW_UNITS[digits]; }

/* Whether a number means something: not NaN, not infinite, none of the wire's spellings of "not set". */
static inline int ibw_is_known(double value) {
    double size = fabs(value);
    return size < 1.797693134862315e308 && value != 2147483647.0 && size != 9223372036854775808.0
           && value != 170141183460469231731687303715884105728.0;
}

/* 1: `out` is exactly the decimal that was written with `digits` digits after the point; 0: as near as possible;
   -1: not set. */
static inline int ibw_exact_of(double value, int digits, ibw_exact *out) {
    *out = IBW_EXACT_NONE;
    if (!ibw_is_known(value)) return -1;
    if (fabs(value) >= IBW_EXACT_MOST) {
        *out = (ibw_exact)(value < 0 ? -1 : 1) * (ibw_exact)IBW_EXACT_MOST * ibw_exact_unit(0);
        return 0;
    }
    if (digits >= 0 && digits <= 18 && fabs(value) * IBW_POWERS[digits] < 1e15) {
        *out = (ibw_exact)llround(value * IBW_POWERS[digits]) * ibw_exact_unit(digits);
        return 1;
    }
    double whole = trunc(value);
    *out = (ibw_exact)whole * ibw_exact_unit(0) + (ibw_exact)llround((value - whole) * 1e15) * 1000;
    return 0;
}

/* The shortest decimal that reads back as the same double; 0: longer than 15 significant digits. */
static inline int ibw_exact_shortest(double value, ibw_exact *out) {
    if (!ibw_is_known(value)) {
        *out = IBW_EXACT_NONE;
        return -1;
    }
    for (int digits = 0; digits <= 18; digits++) {
        double scaled = value * IBW_POWERS[digits];
        if (fabs(scaled) >= 1e15) break;
        int64_t whole = llround(scaled);
        if ((double)whole / IBW_POWERS[digits] == value) {
            *out = (ibw_exact)whole * ibw_exact_unit(digits);
            return 1;
        }
    }
    ibw_exact_of(value, -1, out);
    return 0;
}

/* As a double, rounded once where it fits in 53 bits; `digits`: how many stand after the point, -1 when it does not. */
static inline double ibw_exact_double(ibw_exact value, int8_t *digits) {
    int64_t unit = IBW_UNITS[0];
    int n = 0;
    if (!value) {
        *digits = 0;
        return 0;
    }
    ibw_exact whole = value / unit;
    int64_t rest = (int64_t)(value - whole * unit);
    if (rest) {
        while (rest % unit) unit = IBW_UNITS[++n];
        whole = value / unit;
    }
    *digits = whole < (ibw_exact)1 << 53 && whole > -((ibw_exact)1 << 53) ? (int8_t)n : -1;
    return (double)whole / IBW_POWERS[n];
}
#endif
