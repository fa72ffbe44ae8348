import Foundation

/// Whether this program was built with the address or thread sanitiser, which hold freed memory back and
/// take more of it: then nothing can be said about how much is in use.
package let isSanitized = ["__asan_init", "__tsan_init"].contains { (name: String) -> Bool in
  dlsym(dlopen(nil, RTLD_NOW), name) != nil
}
