import seedrandom from "seedrandom";

/** 0..count-1 in an order that follows from the seed. */
export const shuffled = (count: number, seed: string): Uint32Array => {
  const random = seedrandom(seed);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    const swapped = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = swapped;
  }
  return order;
};
