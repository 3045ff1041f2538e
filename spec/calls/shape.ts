import type { Fields } from "../fields";
import type { Need } from "../needs";

/** What one call of a trace takes and gives. */
export interface CallShape {
  /**
   * iommufd: made on a file of /dev/iommu, named by the call's `fd`. process: everything else;
   * a file it is made on is an argument, which says by its name what file it means. Numbers of
   * iommufds and of device files are name spaces of their own; access and fault files share one.
   */
  readonly on: "iommufd" | "process";
  readonly in: Fields;
  readonly out: Fields;
  /** Outputs that a success may leave out; the call says when. */
  readonly optional?: readonly string[];
  readonly needs: readonly Need[];
  /** Prefix of the handles it creates; the first output is what a bare handle means. */
  readonly handle?: string;
  /** True for calls that only observe: they never change any state. */
  readonly probe?: true;
}
