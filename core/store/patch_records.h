// What the metadata store keeps of patches: named mixtures with versions, aliases for versions, and the history of the
// aliases.
//
// As records.h: plain values; times are UTC with microseconds; `details_json` is carried as it is given.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"

namespace modelpatch::store {

// The alias that a patch's plain name stands for, once something was promoted under it.
inline constexpr char kProductionAlias[] = "production";
// Stands for the newest version; nothing can be promoted under it.
inline constexpr char kLatestAlias[] = "latest";

// What an alias stands for.
struct PatchAliasRecord {
  std::string alias;
  int64_t version = 0;

  bool operator==(const PatchAliasRecord&) const = default;
};

struct PatchRecord {
  std::string id;
  int64_t latest_version = 0;
  std::vector<PatchAliasRecord> aliases;  // in their order
  base::WallTime create_time;
  base::WallTime update_time;  // of the last version, promotion or rollback
  int64_t revision = 0;        // counts them

  // What the plain name stands for.
  int64_t served_version() const {
    for (const PatchAliasRecord& one : aliases) {
      if (one.alias == kProductionAlias) return one.version;
    }
    return latest_version;
  }

  bool operator==(const PatchRecord&) const = default;
};

struct PatchTermRecord {
  std::string checkpoint_id;
  std::string blob_digest;
  double coefficient = 0;

  bool operator==(const PatchTermRecord&) const = default;
};

// Immutable once it is stored.
struct PatchVersionRecord {
  std::string patch_id;
  int64_t version = 0;         // 1, 2, …: the store counts
  std::string request_id;      // of the client, or empty; unique otherwise
  std::string request_digest;  // of the request's content: the same request_id with another digest is refused
  std::string model_id;
  std::vector<PatchTermRecord> terms;
  bool allow_extrapolation = false;
  std::string details_json;  // model digest, evaluation, budgets
  base::WallTime create_time;

  bool operator==(const PatchVersionRecord&) const = default;
};

// A change of an alias.
struct PatchPromotionRecord {
  std::string alias;
  int64_t version = 0;
  bool is_rollback = false;
  std::string overridden;  // the refusal that was overridden, or empty
  std::string reason;
  base::WallTime time;

  bool operator==(const PatchPromotionRecord&) const = default;
};

// Which version of a patch.
struct PatchSelector {
  std::optional<int64_t> version;
  std::string alias;  // without a version; empty: what the plain name stands for

  bool operator==(const PatchSelector&) const = default;
};

}  // namespace modelpatch::store
