#include "core/model/precision.h"

#include <fmt/format.h>

#include "core/base/text.h"

namespace modelpatch::model {

std::string_view NameOf(Precision precision) { return precision == Precision::kBFloat16 ? "bf16" : "fp32"; }

absl::StatusOr<Precision> ParsePrecision(std::string_view name) {
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
    if (NameOf(precision) == name) return precision;
  }
  return base::InvalidArgument("BAD_PRECISION",
                               fmt::format("'{}' is no precision; it is fp32 or bf16", base::Printable(name)));
}

}  // namespace modelpatch::model
