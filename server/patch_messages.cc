#include "server/patch_messages.h"

#include <fmt/format.h>

#include "server/patch_names.h"
#include "server/record_messages.h"
#include "server/resource_names.h"

namespace modelpatch::server {

std::string EtagOf(const store::PatchRecord& record) {
  return fmt::format("{:x}-{}", record.create_time.time_since_epoch().count(), record.revision);
}

v1::Patch ToMessage(const store::PatchRecord& record) {
  v1::Patch patch;
  patch.set_name(ResourceName(kPatches, record.id));
  *patch.mutable_create_time() = ToTimestamp(record.create_time);
  *patch.mutable_update_time() = ToTimestamp(record.update_time);
  patch.set_etag(EtagOf(record));
  patch.set_latest_version(static_cast<int32_t>(record.latest_version));
  patch.set_served_version(static_cast<int32_t>(record.served_version()));
  for (const store::PatchAliasRecord& one : record.aliases) {
    auto* alias = patch.add_aliases();
    alias->set_alias(one.alias);
    alias->set_version(static_cast<int32_t>(one.version));
  }
  return patch;
}

v1::PatchPromotion ToMessage(const store::PatchPromotionRecord& record) {
  v1::PatchPromotion promotion;
  *promotion.mutable_time() = ToTimestamp(record.time);
  promotion.set_alias(record.alias);
  promotion.set_version(static_cast<int32_t>(record.version));
  promotion.set_rollback(record.is_rollback);
  promotion.set_override_budget(!record.overridden.empty());
  promotion.set_overridden(record.overridden);
  promotion.set_reason(record.reason);
  return promotion;
}

absl::StatusOr<v1::PatchVersion> ToMessage(const store::PatchVersionRecord& record) {
  v1::PatchVersion version;
  MP_RETURN_IF_ERROR(FromRecordJson(record.details_json, &version));
  version.set_name(PatchVersionName(record.patch_id, record.version));
  version.set_version(static_cast<int32_t>(record.version));
  *version.mutable_create_time() = ToTimestamp(record.create_time);
  v1::Mixture& mixture = *version.mutable_mixture();
  mixture.set_model(ResourceName(kModels, record.model_id));
  mixture.set_allow_extrapolation(record.allow_extrapolation);
  v1::ResolvedWeights& weights = *version.mutable_weights();
  weights.set_patch(version.name());
  for (const store::PatchTermRecord& one : record.terms) {
    auto* term = mixture.add_terms();
    term->set_checkpoint(ResourceName(kCheckpoints, one.checkpoint_id));
    term->set_coefficient(one.coefficient);
    auto* resolved = weights.add_terms();
    resolved->set_checkpoint(term->checkpoint());
    resolved->set_coefficient(one.coefficient);
    resolved->set_blob_digest(one.blob_digest);
  }
  return version;
}

}  // namespace modelpatch::server
