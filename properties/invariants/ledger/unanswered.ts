/**
 * Calls that could not store their answer (GEN-16): they fail, and Linux has nevertheless done
 * what they ask for, unless that was to make an object. Elsewhere they may have done it or not.
 */
import type { Call } from "../../../spec/calls";
import {
  MAP_FIXED_IOVA,
  OPTION_HUGE_PAGES,
  OPTION_OP_SET,
  VFIO_IOAS_GET,
} from "../../../spec/uapi/flags";
import { U64_MAX } from "../../../spec/units";
import { attachmentOf } from "./attachment";
import { noteFailedUnmapDma } from "./compat";
import { groupKey } from "./devices";
import { doubtDirty } from "./dirty-calls";
import { mayBeCopied, mayBeMapped, noteFailedUnmap, permOf } from "./map-calls";
import type { LedgerState } from "./state";

/** @returns false for calls that have done nothing in any case */
export const noteUnanswered = (ledger: LedgerState, call: Call): boolean => {
  switch (call.call) {
    case "IOAS_MAP": {
      const { flags, user_va: userVa, length, iova: start } = call.in;
      const ioas = ledger.ioas(call.fd, call.in.ioas_id);
      if (ioas === undefined || length === 0n) return false;
      const mapping = { ioas, start, length, userVa, perm: permOf(flags) };
      mayBeMapped(ledger, mapping, (flags & MAP_FIXED_IOVA) !== 0);
      return true;
    }
    case "IOAS_COPY":
      mayBeCopied(ledger, call, (call.in.flags & MAP_FIXED_IOVA) !== 0);
      return true;
    case "IOAS_UNMAP":
      doubtDirty(ledger.ioas(call.fd, call.in.ioas_id), call.in);
      return noteFailedUnmap(ledger, call);
    case "VFIO_UNMAP_DMA":
      return noteFailedUnmapDma(ledger, call, "EFAULT");
    case "OPTION": {
      if (call.in.op !== OPTION_OP_SET) return false;
      const ctx = ledger.contexts.get(call.fd);
      const ioas = ledger.ioas(call.fd, call.in.object_id);
      if (call.in.option_id !== OPTION_HUGE_PAGES) {
        if (ctx) ctx.rlimitMode = undefined;
        ledger.byProcess = true;
      } else if (ioas) {
        ioas.huge = undefined;
        ioas.moved("reshaped");
      }
      return true;
    }
    case "VFIO_IOAS": {
      const ctx = ledger.contexts.get(call.fd);
      if (ctx && call.in.op !== VFIO_IOAS_GET) ctx.compat = undefined;
      return true;
    }
    case "VFIO_BIND": {
      const file = ledger.files.get(call.in.devfd);
      if (file !== undefined) ledger.maybeOwned.add(groupKey(ledger, file.index));
      return true;
    }
    case "VFIO_ATTACH":
    case "MOCK_DOMAIN_REPLACE": {
      // The device is where it was, or where it was to go, or nowhere (VFD-12). One that is not
      // bound may be so after all, if its BIND had no answer either.
      const attachment = attachmentOf(call, ledger);
      if (attachment === undefined || attachment.ioas !== undefined) ledger.lost = true;
      return true;
    }
    case "DIRTY": {
      const ioas = ledger.hwpt(call.fd, call.in.hwpt_id)?.ioas;
      doubtDirty(ioas, { iova: 0n, length: U64_MAX });
      return true;
    }
    case "FAULT_READ":
    case "HWPT_INVALIDATE":
      return true;
    case "HWPT_ALLOC":
    case "MOCK_DOMAIN":
    case "MOCK_DOMAIN_FLAGS":
    case "ACCESS_PAGES":
      // Pages may have been pinned for a moment.
      return true;
    default:
      return false;
  }
};
