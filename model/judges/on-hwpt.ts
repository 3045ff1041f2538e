/** What calls on a paging HWPT look up; a nested one is none (HWP-23). */
import type { ClauseId } from "../../spec/clauses/registry";
import { type Rule, rule } from "../judge";
import type { MachineState } from "../state/machine";
import type { Hwpt, IommufdObject } from "../state/objects";
import { aboutId, type OnIommufd } from "./common";

export interface OnHwpt extends OnIommufd {
  readonly hwptId: number;
  readonly object: IommufdObject | undefined;
  readonly hwpt: Hwpt | undefined;
}

export const onHwpt = (machine: MachineState, fd: number, hwptId: number): OnHwpt => {
  const context = machine.fds.get(fd);
  const object = context?.objects.get(hwptId);
  return { machine, context, hwptId, object, hwpt: object?.type === "hwpt" ? object : undefined };
};

export const hwptRule = <V extends OnHwpt>(
  clause: ClauseId,
  options: Pick<Partial<Rule<V>>, "applies"> = {},
): Rule<V> =>
  rule<V>(clause, "ENOENT", (v) => v.context !== undefined && v.hwpt === undefined, {
    ...options,
    also: (v) => (v.object?.type === "nested" ? ["HWP-23"] : aboutId(v.context, v.hwptId)),
    hard: true,
  });
