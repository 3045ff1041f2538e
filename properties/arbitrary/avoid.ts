/** Calls whose outcome in 6.12 nobody knows, and which a real kernel may not survive. */
import type { CallOf } from "../../spec/calls";
import type { SceneView } from "./view";

/**
 * CPY-11: areas that meet inside a page, copied to where huge pages are off. There 6.12 maps
 * whole pages, counts down their size, and goes past the end of a piece that is shorter.
 */
export const isUnfathomable = (
  call: CallOf<"IOAS_COPY">,
  { ioases }: SceneView,
  pageSize: number,
): boolean => {
  const { src_ioas_id, dst_ioas_id, src_iova, length } = call.in;
  const find = (id: number) => ioases.find((ioas) => ioas.fd === call.fd && ioas.id === id);
  if (find(dst_ioas_id)?.hugePages !== false) return false;
  const areas = find(src_ioas_id)?.areas ?? [];
  const page = BigInt(pageSize);
  return areas.some(
    ({ last }) =>
      src_iova <= last && last < src_iova + length - 1n && (last + 1n - src_iova) % page !== 0n,
  );
};
