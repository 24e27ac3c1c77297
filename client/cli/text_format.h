// Values as people read them, for tables and progress lines. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "google/protobuf/timestamp.pb.h"
#include "modelpatch/v1/patch_job_service.pb.h"
#include "modelpatch/v1/resolved_weights.pb.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client {

// 0.8312 as "83.1%".
std::string Percent(double fraction);
// 0.0312 as "+3.1", in percentage points.
std::string Points(double difference);
// "1.5 MB": powers of 1000, as disks are sold.
std::string Bytes(int64_t bytes);
// "1:02", "1:02:03".
std::string Duration(double seconds);
// "2026-01-31 12:00:00Z", or "" for an absent one.
std::string Time(const google::protobuf::Timestamp& time);
// "0.35", without zeros at the end.
std::string Number(double value);
// The shortest decimal number that reads back as the same double.
std::string ExactNumber(double value);
// The first 12 characters of a digest.
std::string ShortDigest(const std::string& digest);

// "SUCCEEDED" of PATCH_JOB_STATE_SUCCEEDED, and so on.
std::string StateName(v1::PatchJobState state);
std::string StateName(v1::StepState state);
std::string RoleName(v1::TaskRole role);
std::string SplitName(v1::Split split);
std::string KindName(v1::CheckpointKind kind);
std::string KindName(v1::StepKind kind);
std::string KindName(v1::ComparisonKind kind);
std::string FormatName(v1::TaskFormat format);
// "single" of STRATEGY_UNSPECIFIED too, which means it.
std::string StrategyName(v1::Strategy strategy);

// "models/m + 0.5·checkpoints/c".
std::string MixtureText(const v1::Mixture& mixture);
// The same, with "patches/p@3 = " before it if a patch was asked for.
std::string WeightsText(const v1::Mixture& mixture, const v1::ResolvedWeights& weights);

}  // namespace modelpatch::client
