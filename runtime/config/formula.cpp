#include "runtime/config/formula.hpp"

#include "policies/number_text.hpp"

#include <muParser.h>

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <utility>

namespace homeostat {

namespace {

constexpr std::size_t longest_formula = 4'000;

/// An `=` that stands alone would assign to a metric; as `==`, `<=`, `>=`, `!=` it compares.
std::optional<std::size_t> assignment_in(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') continue;
    const bool closes = i > 0 && std::string_view("=<>!").find(text[i - 1]) != std::string_view::npos;
    if (closes) continue;
    if (i + 1 < text.size() && text[i + 1] == '=') continue;
    return i;
  }
  return std::nullopt;
}

/// muParser's error in words that do not depend on its version.
formula_error error_of(const mu::ParserError& e, std::size_t size) {
  std::string token = e.GetToken();
  while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') token.pop_back();
  if (!token.empty()) token = " '" + token + "'";
  std::optional<std::size_t> offset;
  if (e.GetPos() >= 0) offset = std::min(static_cast<std::size_t>(e.GetPos()), size);
  switch (e.GetCode()) {
  case mu::ecUNEXPECTED_OPERATOR: return {"unexpected operator" + token, offset};
  case mu::ecUNASSIGNABLE_TOKEN: return {"unknown function or character" + token, offset};
  case mu::ecUNEXPECTED_EOF: return {"it ends too early", offset};
  case mu::ecUNEXPECTED_ARG_SEP: return {"unexpected comma", offset};
  case mu::ecUNEXPECTED_VAL: return {"unexpected number" + token + ", an operator is missing", offset};
  case mu::ecUNEXPECTED_VAR: return {"unexpected name" + token + ", an operator is missing", offset};
  case mu::ecUNEXPECTED_PARENS: return {"unexpected parenthesis" + token, offset};
  case mu::ecUNEXPECTED_FUN: return {"unexpected function" + token + ", an operator is missing", offset};
  case mu::ecTOO_MANY_PARAMS: return {"too many arguments for the function" + token, offset};
  case mu::ecTOO_FEW_PARAMS: return {"too few arguments for the function" + token, offset};
  case mu::ecMISSING_PARENS: return {"a parenthesis is not closed", offset};
  case mu::ecUNEXPECTED_CONDITIONAL: return {"unexpected ':', its '?' is missing", offset};
  case mu::ecMISSING_ELSE_CLAUSE: return {"'?' without its ':'", offset};
  case mu::ecEMPTY_EXPRESSION: return {"it is empty", std::nullopt};
  default: return {e.GetMsg(), offset};
  }
}

/// Watches the processor's floating-point flags while it lives, and leaves no trace in them.
class arithmetic_watch {
public:
  arithmetic_watch() { std::feholdexcept(&before_); }
  ~arithmetic_watch() { std::fesetenv(&before_); }
  arithmetic_watch(const arithmetic_watch&) = delete;
  arithmetic_watch& operator=(const arithmetic_watch&) = delete;

  [[nodiscard]] const char* fault() const {
    const int raised = std::fetestexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);
    if ((raised & FE_DIVBYZERO) != 0) return "divides by zero or takes the logarithm of 0";
    if ((raised & FE_INVALID) != 0)
      return "calculates something undefined, such as 0/0 or the root of a negative number";
    if ((raised & FE_OVERFLOW) != 0) return "exceeds the range of numbers";
    return nullptr;
  }

private:
  std::fenv_t before_{};
};

std::string names_in(const named_values& metrics) {
  std::string text;
  for (const auto& [name, value] : metrics) {
    if (text.size() > 400) return text + ", ...";
    text += (text.empty() ? "" : ", ") + name;
  }
  return text.empty() ? "none" : text;
}

} // namespace

struct formula::compiled {
  std::string text;
  std::vector<std::string> names;
  std::vector<double> values; ///< of names; never resized once the parser knows its addresses
  mu::Parser parser;
};

formula::formula(std::unique_ptr<compiled> parts) : parts_(std::move(parts)) {}
formula::formula(formula&&) noexcept = default;
formula& formula::operator=(formula&&) noexcept = default;
formula::~formula() = default;

std::expected<formula, formula_error> formula::compile(std::string_view text) {
  if (text.size() > longest_formula)
    return std::unexpected(
        formula_error{"it has " + std::to_string(text.size()) + " bytes, at most 4000 are allowed", {}});
  if (text.find_first_not_of(" \t\n") == std::string_view::npos)
    return std::unexpected(formula_error{"it is empty", {}});
  if (auto at = assignment_in(text)) return std::unexpected(formula_error{"'=' assigns, a comparison is '=='", at});
  if (const std::size_t at = text.find('"'); at != std::string_view::npos)
    return std::unexpected(formula_error{"unexpected quotation mark", at});
  auto parts = std::make_unique<compiled>();
  parts->text = text;
  try {
    const arithmetic_watch watch; // compiling calculates once, with placeholders for the metrics
    // Without it a constant 0/0 would be folded while compiling, out of sight of evaluate().
    parts->parser.EnableOptimizer(false);
    parts->parser.SetExpr(parts->text);
    for (const auto& [name, address] : parts->parser.GetUsedVar()) parts->names.push_back(name);
    parts->values.assign(parts->names.size(), 1.0);
    for (std::size_t i = 0; i < parts->names.size(); ++i) parts->parser.DefineVar(parts->names[i], &parts->values[i]);
    int results = 0;
    parts->parser.Eval(results);
    if (results != 1)
      return std::unexpected(formula_error{"it is a list of " + std::to_string(results) + " formulas", {}});
  } catch (const mu::ParserError& e) { return std::unexpected(error_of(e, text.size())); }
  return formula(std::move(parts));
}

const std::vector<std::string>& formula::metrics() const { return parts_->names; }
const std::string& formula::text() const { return parts_->text; }

std::expected<double, std::string> formula::evaluate(const named_values& metrics) {
  const auto fail = [&](const std::string& why) { return std::unexpected("formula '" + parts_->text + "' " + why); };
  for (std::size_t i = 0; i < parts_->names.size(); ++i) {
    const auto metric = metrics.find(parts_->names[i]);
    if (metric == metrics.end())
      return fail("needs the metric " + parts_->names[i] + ", which the reading lacks; it has " + names_in(metrics));
    if (!std::isfinite(metric->second))
      return fail("needs the metric " + metric->first + ", which is " + number_text(metric->second) +
                  ", expected a finite number");
    parts_->values[i] = metric->second;
  }
  try {
    const arithmetic_watch watch;
    const double result = parts_->parser.Eval();
    const char* fault = watch.fault();
    if (fault == nullptr && !std::isfinite(result)) fault = "gives no finite number";
    if (fault == nullptr) return result;
    std::string inputs;
    for (std::size_t i = 0; i < parts_->names.size(); ++i)
      inputs += (inputs.empty() ? " with " : ", ") + parts_->names[i] + " = " + number_text(parts_->values[i]);
    return fail(fault + inputs);
  } catch (const mu::ParserError& e) { return fail("cannot be calculated: " + e.GetMsg()); }
}

} // namespace homeostat
