using Unroll.Layers;
using Unroll.Numerics;

namespace Unroll.Models;

/// <summary>What all models have: layers, their parameters in one buffer, and what computes.</summary>
public abstract class TrainableModel
{
    private protected TrainableModel(Engine? engine, IReadOnlyList<Layer> layers, ParameterBuilder parameters)
    {
        Engine = engine ?? Engine.Default;
        Layers = layers;
        Parameters = new ParameterSet(parameters);
    }

    /// <summary>What computes.</summary>
    public Engine Engine { get; }

    /// <summary>I, the features of an input step.</summary>
    public abstract int InputSize { get; }

    /// <summary>O, the features of an output step.</summary>
    public abstract int OutputSize { get; }

    /// <summary>All parameters and their gradients.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>The layers, in the order of their parameters' <see cref="Parameter.LayerIndex"/>.</summary>
    internal IReadOnlyList<Layer> Layers { get; }
}
