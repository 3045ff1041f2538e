/**
 * `npm run hunt`: the long form of the tests that look for planted bugs, which .ci/run runs too.
 * `npm test` begins nearer to some of them, or ends once it has seen each of them.
 */
export const WHOLE_HUNT = process.env["WHOLE_HUNT"] === "1";
