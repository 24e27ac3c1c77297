#include "core/data/builtin_class_names.h"

namespace modelpatch::data {
namespace {

#include "core/data/builtin_cars_class_names.inc"
#include "core/data/builtin_class_names.inc"
#include "core/data/builtin_food101_class_names.inc"
#include "core/data/builtin_imagenet_class_names.inc"
#include "core/data/builtin_sun397_class_names.inc"

struct Builtin {
  std::string_view name;
  std::span<const std::string_view> class_names;
};

constexpr Builtin kBuiltins[] = {
    {"cars", kCarsClasses},         {"cifar10", kCifar10Classes}, {"cifar100", kCifar100Classes},
    {"dtd", kDtdClasses},           {"eurosat", kEuroSatClasses}, {"fashionmnist", kFashionMnistClasses},
    {"fer2013", kFer2013Classes},   {"food101", kFood101Classes}, {"gtsrb", kGtsrbClasses},
    {"imagenet", kImageNetClasses}, {"kitti", kKittiClasses},     {"mnist", kDigitClasses},
    {"resisc45", kResisc45Classes}, {"stl10", kStl10Classes},     {"sun397", kSun397Classes},
    {"svhn", kDigitClasses},
};

}  // namespace

std::optional<std::span<const std::string_view>> FindBuiltinClassNames(std::string_view name) {
  for (const Builtin& builtin : kBuiltins) {
    if (builtin.name == name) return builtin.class_names;
  }
  return std::nullopt;
}

}  // namespace modelpatch::data
