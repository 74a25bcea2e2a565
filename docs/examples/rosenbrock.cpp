// Ask and tell from C++: minimises a function of two variables. Compiled and run by the tests.
#include "policies/search/solver.hpp"

#include <cmath>
#include <cstdio>

int main() {
  using namespace homeostat;
  const auto axis = [](const char* name) { return knob_spec{.name = name, .min = -2, .max = 2, .initial = 0}; };
  auto search = solver::create({.space = {axis("x"), axis("y")}, .seed = 7, .budget = 120});
  if (!search) {
    std::fprintf(stderr, "%s\n", search.error().c_str());
    return 1;
  }
  while (!search->finished())
    for (const trial& t : search->ask(1)) {
      const double x = t.values[0], y = t.values[1];
      const double value = std::pow(1 - x, 2) + 100 * std::pow(y - x * x, 2);
      if (auto told = search->tell(t.id, value); !told) {
        std::fprintf(stderr, "%s\n", told.error().text.c_str());
        return 1;
      }
    }
  const auto best = search->best();
  std::printf("%g at (%g, %g)\n", *best->value, best->values[0], best->values[1]);
  return *best->value < 1e-3 ? 0 : 1;
}
