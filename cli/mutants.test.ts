import { testMutants } from "./testdata/mutants";

testMutants(0);
