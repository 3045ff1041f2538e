/**
 * `npm run hunt`: the long form of some tests, which .ci/run runs too. `npm test` begins nearer to
 * planted bugs, or ends once it has seen each of them, and tries fewer traces and sets of
 * capabilities.
 */
export const WHOLE_HUNT = process.env["WHOLE_HUNT"] === "1";
