// Trends: whether numbers depend on others. No document is needed for it.
//
// A trend is said only if there are at least MIN_TREND_POINTS, if as strong a rank correlation comes by
// chance in less than MAX_CHANCE of all cases (two-sided permutation test), and if the change over
// the range is longer than an error bar. So little more than one in a hundred is said of no trend.

const MIN_TREND_POINTS = 6; // five are in order by chance in 1 of 60 cases
const MAX_CHANCE = 0.01;
const CHANCE_WIDTH = 2.576; // of the normal distribution, for MAX_CHANCE
const PERMUTATIONS = 999;
const MAX_PERMUTED = 100; // points; of more, the normal distribution tells the same

/** Return {rank, isSure, isLarge} of pairs of numbers; null if nothing can be said.
 *
 * errors: those of the second numbers, as far as they are known.
 */
function trendOf(pairs, errors) {
  const rank = pairs.length < MIN_TREND_POINTS ? null : rankCorrelation(pairs);
  if (rank === null) return null;
  const bar = errors.length ? 2 * quantile(errors.slice().sort(ascending), 0.5) : 0;
  return { rank, isSure: isBeyondChance(pairs, rank), isLarge: Math.abs(changeOf(pairs)) > bar };
}

/** Return how much a straight line through pairs of numbers rises over their range. */
function changeOf(pairs) {
  const [xs, ys] = [0, 1].map((which) => pairs.map((pair) => pair[which]));
  const [x0, y0] = [xs, ys].map((list) => list.reduce((a, b) => a + b) / list.length);
  const slope = xs.reduce((sum, x, k) => sum + (x - x0) * (ys[k] - y0), 0)
    / xs.reduce((sum, x) => sum + (x - x0) ** 2, 0);
  const [least, most] = extent(xs);
  return slope * (most - least);
}

/** Whether a rank correlation as strong comes by chance in less than MAX_CHANCE of the cases. */
function isBeyondChance(pairs, rank) {
  const count = pairs.length;
  if (count > MAX_PERMUTED) return Math.abs(rank) * Math.sqrt(count - 1) > CHANCE_WIDTH;
  const [a, b] = centredRanks(pairs);
  const limit = Math.abs(productSum(a, b)) - 1e-9;
  const random = numbersBelow();
  let asStrong = 1; // the order that there is
  for (let left = PERMUTATIONS; left > 0; left -= 1) {
    for (let k = count - 1; k > 0; k -= 1) {
      const other = random(k + 1);
      [b[k], b[other]] = [b[other], b[k]];
    }
    if (Math.abs(productSum(a, b)) >= limit) asStrong += 1;
    if (asStrong >= MAX_CHANCE * (PERMUTATIONS + 1)) return false;
  }
  return true;
}

/** Return a function limit -> whole number below it; each has the same, so that pages are equal. */
function numbersBelow() {
  let seed = 1;
  return (limit) => {
    seed = (Math.imul(1664525, seed) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * limit);
  };
}

/** Return Spearman's coefficient of rank correlation; null if all of one kind are equal. */
function rankCorrelation(pairs) {
  const [a, b] = centredRanks(pairs);
  const size = Math.sqrt(productSum(a, a) * productSum(b, b));
  return size ? productSum(a, b) / size : null;
}

const productSum = (a, b) => a.reduce((sum, value, k) => sum + value * b[k], 0);

/** Return the ranks of the first and of the second numbers, less their mean. */
function centredRanks(pairs) {
  const middle = (pairs.length - 1) / 2;
  return [0, 1].map((which) => ranksOf(pairs.map((pair) => pair[which])).map((r) => r - middle));
}

/** Return the ranks of numbers; equal ones have their mean rank. */
function ranksOf(values) {
  const order = values.map((value, k) => [value, k]).sort((a, b) => a[0] - b[0]);
  const ranks = new Array(values.length);
  for (let first = 0, last = 0; first < order.length; first = last) {
    while (last < order.length && order[last][0] === order[first][0]) last += 1;
    for (let k = first; k < last; k += 1) ranks[order[k][1]] = (first + last - 1) / 2;
  }
  return ranks;
}
