using System.Reflection;
using System.Reflection.Emit;
using Unroll.Numerics;

namespace Unroll.Tests.Architecture;

/// <summary>Which namespace may know which, seen in signatures, fields, locals and every instruction's operand.</summary>
public class DependencyTests
{
    const BindingFlags Everything =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    static readonly Assembly s_library = typeof(Engine).Assembly;

    static readonly Dictionary<string, string[]> s_allowed = new()
    {
        ["Unroll.Numerics"] = [],
        ["Unroll.Layers"] = ["Unroll.Numerics"],
        ["Unroll.Models"] = ["Unroll.Layers", "Unroll.Numerics"],
        ["Unroll.Data"] = ["Unroll.Numerics"],
        ["Unroll.Formats"] = ["Unroll.Models", "Unroll.Layers", "Unroll.Numerics"],
        ["Unroll.Training"] = ["Unroll.Data", "Unroll.Formats", "Unroll.Models", "Unroll.Layers", "Unroll.Numerics"],
    };

    static readonly Dictionary<short, OpCode> s_opCodes = typeof(OpCodes).GetFields()
        .Select(field => (OpCode)field.GetValue(null)!)
        .ToDictionary(code => code.Value);

    [Fact]
    public void Namespaces_DependDownwardsOnly()
    {
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var type in LibraryTypes())
        {
            foreach (var used in Used(type).Select(used => used.Namespace).OfType<string>().Distinct())
            {
                if (used.StartsWith("Unroll", StringComparison.Ordinal) && used != type.Namespace && !s_allowed[type.Namespace!].Contains(used))
                    wrong.Add($"{type.FullName} uses {used}");
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Library_HasTheKnownNamespacesOnly() =>
        Assert.Subset(s_allowed.Keys.ToHashSet(), LibraryTypes().Select(type => type.Namespace!).ToHashSet());

    [Fact]
    public void Library_ReferencesTheFrameworkOnly() =>
        Assert.All(s_library.GetReferencedAssemblies(), reference => Assert.StartsWith("System.", reference.Name, StringComparison.Ordinal));

    [Fact]
    public void Scan_SeesSignaturesAndBodies()
    {
        // The scan itself must find what is known to be there, or it could not fail.
        var trainer = Used(typeof(Unroll.Training.Trainer)).ToHashSet();
        Assert.Contains(typeof(Unroll.Data.ISequenceSource), trainer); // a parameter
        Assert.Contains(typeof(Unroll.Training.TrainingHistory), trainer); // created in a body
        Assert.Contains(typeof(Unroll.Training.GradientClipper), Used(NestedType(typeof(Unroll.Training.Trainer), "Run"))); // a static call
        Assert.Contains(typeof(Unroll.Layers.Pooling), LibraryTypes().Where(type => type.FullName!.StartsWith("Unroll.Models.SequenceModel", StringComparison.Ordinal)).SelectMany(Used)); // a type test in a lambda

        static Type NestedType(Type type, string name) => type.GetNestedType(name, Everything)!;
    }

    static IEnumerable<Type> LibraryTypes() => s_library.GetTypes().Where(type => type.Namespace is { } name
        && name.StartsWith("Unroll", StringComparison.Ordinal)); // without what the compiler embeds

    static IEnumerable<Type> Used(Type type) => Direct(type).SelectMany(Parts);

    static IEnumerable<Type?> Direct(Type type) =>
    [
        type.BaseType,
        .. type.GetInterfaces(),
        .. type.GetGenericArguments().SelectMany(argument => argument.IsGenericParameter ? argument.GetGenericParameterConstraints() : []),
        .. type.GetCustomAttributesData().Select(attribute => attribute.AttributeType),
        .. type.GetFields(Everything).Select(field => field.FieldType),
        .. type.GetMethods(Everything).Cast<MethodBase>().Concat(type.GetConstructors(Everything)).SelectMany(OfMethod),
    ];

    static IEnumerable<Type?> OfMethod(MethodBase method)
    {
        yield return (method as MethodInfo)?.ReturnType;
        foreach (var parameter in method.GetParameters())
            yield return parameter.ParameterType;
        var body = method.GetMethodBody();
        foreach (var local in body?.LocalVariables ?? [])
            yield return local.LocalType;
        foreach (var clause in body?.ExceptionHandlingClauses ?? [])
            yield return clause.Flags == ExceptionHandlingClauseOptions.Clause ? clause.CatchType : null;
        if (body?.GetILAsByteArray() is not { } code)
            yield break;
        Type[] typeArguments = method.DeclaringType!.GetGenericArguments();
        Type[] methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : [];
        foreach (var token in Tokens(code))
        {
            var member = method.Module.ResolveMember(token, typeArguments, methodArguments)!;
            yield return member as Type ?? member.DeclaringType;
            if (member is FieldInfo field)
                yield return field.FieldType;
            if (member is MethodInfo called)
                yield return called.ReturnType;
            foreach (var argument in member is MethodInfo { IsGenericMethod: true } generic ? generic.GetGenericArguments() : [])
                yield return argument;
        }
    }

    /// <summary>The operands of a method's instructions that name a type, a method or a field.</summary>
    static IEnumerable<int> Tokens(byte[] code)
    {
        for (var at = 0; at < code.Length;)
        {
            var value = code[at] == 0xFE ? unchecked((short)(0xFE00 | code[at + 1])) : code[at];
            var operation = s_opCodes[value];
            at += operation.Size;
            switch (operation.OperandType)
            {
                case OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType:
                    yield return BitConverter.ToInt32(code, at);
                    at += 4;
                    break;
                case OperandType.InlineSwitch:
                    at += 4 + (4 * BitConverter.ToInt32(code, at));
                    break;
                case OperandType.InlineNone:
                    break;
                case OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar:
                    at++;
                    break;
                case OperandType.InlineVar:
                    at += 2;
                    break;
                case OperandType.InlineI8 or OperandType.InlineR:
                    at += 8;
                    break;
                default:
                    at += 4;
                    break;
            }
        }
    }

    /// <summary>A type, or what an array, pointer, reference or generic type is made of.</summary>
    static IEnumerable<Type> Parts(Type? type)
    {
        if (type is null || type.IsGenericParameter)
            return [];
        if (type.HasElementType)
            return Parts(type.GetElementType());
        return type is { IsGenericType: true, IsGenericTypeDefinition: false }
            ? type.GetGenericArguments().SelectMany(Parts).Append(type.GetGenericTypeDefinition())
            : [type];
    }
}
