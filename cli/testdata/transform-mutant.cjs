/**
 * Transpiles the copies that `loadMutant` makes. Each lies in a folder with a name of its own, so
 * jest would transpile all files of all mutants in every run, and keep the results: 46 MB a time.
 * Here the name of a file and what is in it say whether it is known already.
 */
const path = require("node:path");
const { createTransformer } = require("@swc/jest");

module.exports = {
  createTransformer: (options) => {
    const swc = createTransformer(options);
    const getCacheKey = (source, file, ...rest) =>
      swc.getCacheKey(source, path.join(path.parse(file).root, path.basename(file)), ...rest);
    return { ...swc, getCacheKey };
  },
};
