#include "client/report/report_job.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"
#include "client/status_macros.h"

namespace modelpatch::client::report {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Messages below another one: more are in no job, and a file may hold anything.
constexpr int kDeepest = 20;

absl::Status Wrong(const std::string& path, const std::string& value, const char* right) {
  return absl::InvalidArgumentError(absl::StrCat(path, " is ", value, "; ", right));
}

absl::Status CheckDouble(const std::string& path, const std::string& field, double value) {
  if (!std::isfinite(value)) return Wrong(path, Number(value), "numbers are finite");
  const bool is_fraction = field == "accuracy" || field == "combined_accuracy" || field == "low" || field == "high";
  // Of confidence intervals, that of the gain may be below 0.
  const double least = field == "low" || field == "high" ? -1 : 0;
  if (is_fraction && (value < least || value > 1)) return Wrong(path, Number(value), "an accuracy lies in [0, 1]");
  if (field == "alpha" && std::abs(value) > 1000) return Wrong(path, Number(value), "α lies in [0, 1]");
  return absl::OkStatus();
}

absl::Status CheckMessage(const std::string& path, const Message& message, int depth);

absl::Status CheckField(const std::string& path, const Message& message, const FieldDescriptor& field, int depth) {
  const Reflection& reflection = *message.GetReflection();
  const int count = field.is_repeated() ? reflection.FieldSize(message, &field) : 1;
  for (int i = 0; i < count; ++i) {
    const std::string here = field.is_repeated() ? absl::StrCat(path, "[", i, "]") : path;
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
      const double value = field.is_repeated() ? reflection.GetRepeatedDouble(message, &field, i)
                                               : reflection.GetDouble(message, &field);
      CLIENT_RETURN_IF_ERROR(CheckDouble(here, field.name(), value));
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT32 && !field.is_repeated()) {
      const int32_t value = reflection.GetInt32(message, &field);
      if (value < 0) return Wrong(here, absl::StrCat(value), "counts are not negative");
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      CLIENT_RETURN_IF_ERROR(CheckMessage(here,
                                          field.is_repeated() ? reflection.GetRepeatedMessage(message, &field, i)
                                                              : reflection.GetMessage(message, &field),
                                          depth + 1));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckMessage(const std::string& path, const Message& message, int depth) {
  if (depth > kDeepest) return absl::InvalidArgumentError(absl::StrCat(path, " is nested too deeply for a patch job"));
  // Times are not ours, nor is what a status carries.
  if (message.GetDescriptor()->file()->package() != "modelpatch.v1") return absl::OkStatus();
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    CLIENT_RETURN_IF_ERROR(CheckField(absl::StrCat(path, ".", field->name()), message, *field, depth));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckNumbers(const v1::PatchJob& job) {
  CLIENT_RETURN_IF_ERROR(CheckMessage("spec", job.spec(), 0));
  return CheckMessage("result", job.result(), 0);
}

absl::StatusOr<std::vector<ReportJob>> MakeReportJobs(const std::vector<v1::PatchJob>& jobs) {
  if (jobs.empty()) return absl::InvalidArgumentError("a report needs at least one job: its name, or --from-json FILE");
  std::vector<ReportJob> result;
  std::map<std::string, int> seen;
  std::map<std::string, std::string> contents;
  for (const v1::PatchJob& job : jobs) {
    const std::string name = job.name().empty() ? "patchJobs/unnamed" : Printable(job.name());
    if (job.state() != v1::PATCH_JOB_STATE_SUCCEEDED) {
      return absl::FailedPreconditionError(
          absl::StrCat(name, " is ", StateName(job.state()),
                       ", not SUCCEEDED: a report needs jobs that have ended well; `modelpatch "
                       "job watch ",
                       ShortName(name), "` waits for one"));
    }
    if (const absl::Status status = CheckNumbers(job); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": ", status.message()));
    }
    const std::string content = job.SerializeAsString();
    if (const auto [it, is_new] = contents.emplace(content, name); !is_new) {
      return absl::InvalidArgumentError(absl::StrCat(name, " is named twice"));
    }
    const int number = ++seen[ShortName(name)];
    ReportJob one;
    one.label = number == 1 ? ShortName(name) : absl::StrCat(ShortName(name), " (", number, ")");
    one.job = job;
    result.push_back(std::move(one));
  }
  return result;
}

}  // namespace modelpatch::client::report
