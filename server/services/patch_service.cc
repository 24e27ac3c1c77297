#include "server/services/patch_service.h"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

#include "core/base/text.h"
#include "server/patch_evaluation.h"
#include "server/patch_messages.h"
#include "server/patch_names.h"
#include "server/promoted_patches.h"
#include "server/record_messages.h"
#include "server/resource_names.h"

namespace modelpatch::server {
namespace {

constexpr int64_t kVersionsToShow = 100;
constexpr int64_t kPromotionsToShow = 1000;
constexpr size_t kMaximumReasonBytes = 1024;

// The alias that a request means.
absl::StatusOr<std::string> AliasOf(const std::string& alias) {
  if (alias.empty()) return std::string(store::kProductionAlias);
  if (alias == store::kLatestAlias) {
    return base::WithField(
        base::InvalidArgument("BAD_ALIAS", fmt::format("'{}' always is the newest version; use another alias", alias)),
        "alias");
  }
  MP_RETURN_IF_ERROR(base::WithField(CheckAlias(alias), "alias"));
  return alias;
}

absl::Status CheckReason(const std::string& reason) {
  if (reason.size() <= kMaximumReasonBytes) return absl::OkStatus();
  return base::WithField(base::InvalidArgument("REASON_TOO_LONG", fmt::format("the reason has {} bytes; use at most {}",
                                                                              reason.size(), kMaximumReasonBytes)),
                         "reason");
}

absl::Status CheckOverride(const v1::PromotePatchRequest& request) {
  if (!request.override_budget() || !request.reason().empty()) return absl::OkStatus();
  return base::WithField(
      base::InvalidArgument("REASON_REQUIRED", "override_budget is set without a reason; say why, for the history"),
      "reason");
}

}  // namespace

grpc::ServerUnaryReactor* PatchService::CreatePatch(grpc::CallbackServerContext* context,
                                                    const v1::CreatePatchRequest* request, v1::Patch* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) { return Create(*request, response); });
}

grpc::ServerUnaryReactor* PatchService::GetPatch(grpc::CallbackServerContext* context,
                                                 const v1::GetPatchRequest* request, v1::Patch* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) { return Get(request->name(), response); });
}

grpc::ServerUnaryReactor* PatchService::ListPatches(grpc::CallbackServerContext* context,
                                                    const v1::ListPatchesRequest* request,
                                                    v1::ListPatchesResponse* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) -> absl::Status {
    MP_ASSIGN_OR_RETURN(const auto page, context_.metadata.ListPatches({request->page_size(), request->page_token()}));
    for (const store::PatchRecord& record : page.records) *response->add_patches() = ToMessage(record);
    response->set_next_page_token(page.next_page_token);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* PatchService::DeletePatch(grpc::CallbackServerContext* context,
                                                    const v1::DeletePatchRequest* request, google::protobuf::Empty*) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) { return Delete(*request); });
}

grpc::ServerUnaryReactor* PatchService::PromotePatch(grpc::CallbackServerContext* context,
                                                     const v1::PromotePatchRequest* request, v1::Patch* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) { return Promote(*request, response); });
}

grpc::ServerUnaryReactor* PatchService::RollbackPatch(grpc::CallbackServerContext* context,
                                                      const v1::RollbackPatchRequest* request, v1::Patch* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) { return RollBack(*request, response); });
}

absl::StatusOr<store::PatchRecord> PatchService::FindPatch(const std::string& name, const std::string& etag) {
  const auto id = ParseResourceName(kPatches, name);
  if (!id.ok()) return base::WithField(id.status(), "name");
  const auto record = context_.metadata.GetPatch(*id);
  if (!record.ok()) return base::WithField(record.status(), "name");
  if (!etag.empty() && etag != EtagOf(*record)) {
    return base::WithField(
        base::Error(absl::StatusCode::kAborted, "STALE_REVISION",
                    fmt::format("the etag '{}' is not that of {}, which has changed since; read it again",
                                base::Printable(etag), name)),
        "etag");
  }
  return record;
}

absl::StatusOr<v1::Patch> PatchService::Describe(const store::PatchRecord& record) {
  MP_ASSIGN_OR_RETURN(const auto versions, context_.metadata.ListPatchVersions(record.id, kVersionsToShow));
  MP_ASSIGN_OR_RETURN(const auto promotions, context_.metadata.ListPatchPromotions(record.id, kPromotionsToShow));
  v1::Patch patch = ToMessage(record);
  for (const store::PatchVersionRecord& version : versions) {
    MP_ASSIGN_OR_RETURN(*patch.add_versions(), ToMessage(version));
  }
  for (const store::PatchPromotionRecord& promotion : promotions) *patch.add_promotions() = ToMessage(promotion);
  return patch;
}

absl::StatusOr<v1::Patch> PatchService::Describe(const store::PatchVersionRecord& version) {
  MP_ASSIGN_OR_RETURN(const store::PatchRecord record, context_.metadata.GetPatch(version.patch_id));
  v1::Patch patch = ToMessage(record);
  MP_ASSIGN_OR_RETURN(*patch.add_versions(), ToMessage(version));
  return patch;
}

absl::Status PatchService::Create(const v1::CreatePatchRequest& request, v1::Patch* response) {
  MP_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  const RequestKey key = MakeRequestKey(request, request.request_id());
  // First of all: a repeated request has its version, also if what it was made from has changed since.
  MP_ASSIGN_OR_RETURN(const auto earlier, context_.metadata.FindPatchVersionOfRequest(key.id, key.digest));
  if (earlier.has_value()) {
    MP_ASSIGN_OR_RETURN(*response, Describe(*earlier));
    return absl::OkStatus();
  }
  MP_ASSIGN_OR_RETURN(store::PatchVersionRecord planned, planner_.Plan(request, context_.clock.Now()));
  planned.request_id = key.id;
  planned.request_digest = key.digest;
  MP_ASSIGN_OR_RETURN(const store::CreatedPatchVersion made, context_.metadata.CreatePatchVersion(planned));
  context_.log.Info("patch version made", {{"patch", PatchVersionName(made.version.patch_id, made.version.version)}});
  MP_ASSIGN_OR_RETURN(*response, Describe(made.version));
  return absl::OkStatus();
}

absl::Status PatchService::Get(const std::string& name, v1::Patch* response) {
  const auto reference = ParsePatchName(name);
  if (!reference.ok()) return base::WithField(reference.status(), "name");
  if (reference->has_selector()) {
    const auto version = context_.metadata.GetPatchVersion(reference->id, reference->selector);
    if (!version.ok()) return base::WithField(version.status(), "name");
    MP_ASSIGN_OR_RETURN(*response, Describe(*version));
    return absl::OkStatus();
  }
  MP_ASSIGN_OR_RETURN(const store::PatchRecord record, FindPatch(name, /*etag=*/""));
  MP_ASSIGN_OR_RETURN(*response, Describe(record));
  return absl::OkStatus();
}

absl::Status PatchService::Delete(const v1::DeletePatchRequest& request) {
  MP_ASSIGN_OR_RETURN(const store::PatchRecord record, FindPatch(request.name(), request.etag()));
  MP_RETURN_IF_ERROR(context_.metadata.DeletePatch(record, /*unchanged=*/!request.etag().empty()));
  context_.log.Info("patch deleted", {{"patch", record.id}});
  PinPromoted();
  return absl::OkStatus();
}

absl::Status PatchService::Promote(const v1::PromotePatchRequest& request, v1::Patch* response) {
  store::PatchPromotionRecord promotion;
  MP_ASSIGN_OR_RETURN(promotion.alias, AliasOf(request.alias()));
  MP_RETURN_IF_ERROR(CheckReason(request.reason()));
  MP_RETURN_IF_ERROR(CheckOverride(request));
  if (request.version() < 0) {
    return base::WithField(
        base::InvalidArgument("BAD_PATCH_VERSION",
                              fmt::format("version is {}; give 1, 2, …, or 0 for the newest", request.version())),
        "version");
  }
  MP_ASSIGN_OR_RETURN(const store::PatchRecord seen, FindPatch(request.name(), request.etag()));
  promotion.version = request.version() == 0 ? seen.latest_version : request.version();
  const auto version = context_.metadata.GetPatchVersion(seen.id, {promotion.version, ""});
  if (!version.ok()) return base::WithField(version.status(), "version");
  MP_ASSIGN_OR_RETURN(const v1::PatchVersion message, ToMessage(*version));
  if (const absl::Status kept = CheckBudgets(message); !kept.ok()) {
    if (!request.override_budget()) return kept;
    promotion.overridden = std::string(kept.message());
  }
  promotion.reason = request.reason();
  promotion.time = context_.clock.Now();
  MP_ASSIGN_OR_RETURN(const store::PatchRecord changed,
                      context_.metadata.PromotePatch(seen, /*unchanged=*/!request.etag().empty(), promotion));
  context_.log.Info("patch promoted", {{"patch", message.name()},
                                       {"alias", promotion.alias},
                                       {"reason", promotion.reason},
                                       {"overridden", promotion.overridden}});
  PinPromoted();
  MP_ASSIGN_OR_RETURN(*response, Describe(changed));
  return absl::OkStatus();
}

absl::Status PatchService::RollBack(const v1::RollbackPatchRequest& request, v1::Patch* response) {
  store::PatchPromotionRecord rollback;
  MP_ASSIGN_OR_RETURN(rollback.alias, AliasOf(request.alias()));
  MP_RETURN_IF_ERROR(CheckReason(request.reason()));
  MP_ASSIGN_OR_RETURN(const store::PatchRecord seen, FindPatch(request.name(), request.etag()));
  rollback.reason = request.reason();
  rollback.time = context_.clock.Now();
  MP_ASSIGN_OR_RETURN(const store::PatchRecord changed,
                      context_.metadata.RollBackPatch(seen, /*unchanged=*/!request.etag().empty(), rollback));
  context_.log.Info("patch rolled back", {{"patch", seen.id}, {"alias", rollback.alias}, {"reason", rollback.reason}});
  PinPromoted();
  MP_ASSIGN_OR_RETURN(*response, Describe(changed));
  return absl::OkStatus();
}

void PatchService::PinPromoted() {
  PinPromotedPatches(context_.metadata, context_.resolver, context_.engine, context_.log);
}

}  // namespace modelpatch::server
