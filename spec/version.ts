/** Of this package, as in package.json: reports and capsules say which version made them. */
export const VERSION = "0.1.0";
