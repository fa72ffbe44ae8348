/// A value whose fields say what they mean.
///
/// Nobody writes this by hand: for the structs of a target that uses the plugin DocumentFields, the build takes
/// the texts from the `///` lines above the fields. A type without it simply has no texts.
public protocol DocumentedFields {
  /// The first paragraph above each field, by the field's name.
  static var fieldDocumentation: [String: String] { get }
}
