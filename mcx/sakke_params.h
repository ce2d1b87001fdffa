/* SAKKE parameter set 1 (RFC 6509 Appendix A): E: y^2 = x^3 - 3x over F_p, p + 1 = 4q, with its generator P of order q and
 * g = <P,P>. Elements of F_p are in Montgomery form.
 *
 * -3 is a square here, sigma^2, so that E is also the twisted Edwards curve -X^2 + Y^2 = 1 + X^2 Y^2 by
 *     X = omega x / (sigma y),  Y = (x - sigma) / (x + sigma)           with omega^2 = -2 sigma^3
 *     x = sigma (1 + Y) / (1 - Y),  y = omega (1 + Y) / ((1 - Y) X)
 * On points of odd order its addition law has no exception (the differences at which it fails have even order), and adding
 * a stored point takes 7 products where Weierstrass coordinates take 11. */
#ifndef MCX_SAKKE_PARAMS_H
#define MCX_SAKKE_PARAMS_H

#include "mcx/fp.h"

extern const fp_mod sakke_p, sakke_q;
extern const fp sakke_px, sakke_py, sakke_g, sakke_sigma, sakke_omega;

#endif
